// SimulatedStage: a talk played in the simulated world: a whole server on two loops, connections whose bytes are torn and late.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "sim/sim_client.h"
#include "sim/talk_stage.h"

namespace carillon {

class SimulatedStage final : public TalkStage {
 public:
  SimulatedStage(std::uint64_t seed, const ServerOptions& options, const SimNetworkOptions& network);
  ~SimulatedStage() override;

  void open(const std::string& client, const TalkOpening& opening) override;
  void listen(const std::string& client, const TalkOpening& opening) override;
  void ask(const std::string& client, std::string_view method, std::string_view target, std::string_view body) override;
  void send(const std::string& client, std::string_view message, bool binary) override;
  void close(const std::string& client) override;
  void pass(Millis span) override { world_.run_for(span); }
  std::optional<std::string> hear(const std::string& client) override;
  std::optional<Answer> answer(const std::string& client) override;
  std::optional<int> closed(const std::string& client) override;
  std::optional<std::string> unheard() override;

  SimWorld& world() { return world_; }

 private:
  class Client;

  Client& client(const std::string& name);
  bool wait(const std::function<bool()>& done);

  SimWorld world_;
  SimServer server_;
  const SimNetworkOptions network_;
  std::map<std::string, std::unique_ptr<Client>> clients_;
};

}  // namespace carillon
