// DirectStage: a talk played straight into dialogs: no connections, no bytes on a wire, one loop.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "sim/sim_server.h"
#include "sim/talk_stage.h"
#include "transport/router.h"

namespace carillon {

class DirectStage final : public TalkStage {
 public:
  explicit DirectStage(const ServerOptions& options);
  ~DirectStage() override;

  void open(const std::string& client, const TalkOpening& opening) override;
  void listen(const std::string& client, const TalkOpening& opening) override;
  void ask(const std::string& client, std::string_view method, std::string_view target, std::string_view body) override;
  void send(const std::string& client, std::string_view message, bool binary) override;
  void close(const std::string& client) override;
  void pass(Millis span) override;
  std::optional<std::string> hear(const std::string& client) override;
  std::optional<Answer> answer(const std::string& client) override;
  std::optional<int> closed(const std::string& client) override;
  std::optional<std::string> unheard() override;

 private:
  class Client;
  class Request;

  Client& client(const std::string& name);
  void request(const std::string& name, HttpRequest request);
  void open_with(const std::string& name, const TalkOpening& opening, std::string_view field, std::string_view value);
  // As in one turn of the loop.
  void turn(Task task);

  SimWorld world_{1};
  ManualLoop& loop_ = world_.add_loop();
  SimCore core_;
  Shard& shard_;
  Router router_;
  SimRooms rooms_;
  std::map<const Encoding*, std::unique_ptr<Encoding>> encodings_;
  std::map<std::string, std::unique_ptr<Client>> clients_;
};

}  // namespace carillon
