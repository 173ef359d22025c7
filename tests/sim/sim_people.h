// Publishers and subscribers of the simulated world: they lose their connections, come back, and know what they must hear.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/sim_client.h"

namespace carillon {

// What went wrong in a world, in order. Shared by its people.
using SimFaults = std::vector<std::string>;

class SimPerson : protected SimClientEvents {
 public:
  SimPerson(SimServer& server, const SimNetworkOptions& network, SimFaults& faults, std::string name);
  virtual ~SimPerson() = default;

  // Its connection breaks; it comes back after a while.
  void lose(bool server_is_told);
  // It does not come back any more.
  void retire() { retired_ = true; }
  SimClient& client() { return client_; }

 protected:
  virtual void connect() = 0;
  void on_gone(std::uint16_t) override { come_back(); }
  void come_back();
  void fault(std::string text);
  SimWorld& world() { return server_.world(); }

  SimServer& server_;
  SimFaults& faults_;
  const std::string name_;
  SimClient client_;
  bool retired_ = false;

 private:
  void connect_after(Millis delay);

  // Tasks that wait know by it that their person is gone.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Publishes numbered messages one after the other; each until it is acknowledged, under one idempotency key.
class SimPublisher final : public SimPerson {
 public:
  enum class Way { kNative, kApi };

  SimPublisher(SimServer& server, const SimNetworkOptions& network, SimFaults& faults, std::string name, Way way,
               std::vector<std::string> channels);
  void start() { connect(); }
  // No further message after the current one.
  void finish() { finishing_ = true; }
  bool finished() const { return finishing_ && acknowledged_ == number_; }
  std::uint64_t published() const { return number_; }
  const std::string& name() const { return name_; }

 private:
  void connect() override;
  void on_open() override { say(); }
  void on_message(std::string_view message) override;
  void on_answer(const HttpResponse& response) override;
  void next();
  void say();
  void acknowledge();

  const Way way_;
  const std::vector<std::string> channels_;
  std::uint64_t number_ = 0;
  std::uint64_t acknowledged_ = 0;
  bool finishing_ = false;
  std::string channel_, body_;
};

// What a listener of either kind knows of each channel.
struct SimHeard {
  std::string epoch;
  std::uint64_t started = 0;  // The offset before the first that it must hear.
  std::uint64_t last = 0;
  std::uint64_t events = 0;
  std::uint64_t missed = 0;  // As it was told.
};

class SimListener : public SimPerson {
 public:
  using SimPerson::SimPerson;

  void start() { connect(); }
  // A gap is then a fault, and so is every offset left out.
  void must_hear_all() { all_ = true; }
  // Has it heard, or been told that it missed, everything up to here?
  bool complete(std::string_view channel, std::uint64_t top) const;
  const std::map<std::string, SimHeard, std::less<>>& heard() const { return heard_; }
  std::string report() const;

 protected:
  void hear_event(std::string_view json);
  void hear_gap(std::string_view json);
  void know(const std::string& channel, std::string_view position_json);

  std::map<std::string, SimHeard, std::less<>> heard_;
  bool all_ = false;
};

class SimSubscriber final : public SimListener {
 public:
  SimSubscriber(SimServer& server, const SimNetworkOptions& network, SimFaults& faults, std::string name, std::string channel)
      : SimListener(server, network, faults, std::move(name)), channel_(std::move(channel)) {}

 private:
  void connect() override { client_.open_websocket("/ws"); }
  void on_open() override;
  void on_message(std::string_view message) override;

  const std::string channel_;
  bool known_ = false;  // It has been answered once.
};

class SimStreamReader final : public SimListener {
 public:
  SimStreamReader(SimServer& server, const SimNetworkOptions& network, SimFaults& faults, std::string name,
                  std::vector<std::string> channels)
      : SimListener(server, network, faults, std::move(name)), channels_(std::move(channels)) {}

 private:
  void connect() override;
  void on_line(std::string_view line) override;
  void dispatch();
  void take_cursor();

  const std::vector<std::string> channels_;
  std::string last_id_;
  // The block being read (WHATWG HTML, section 9.2.6).
  std::string id_, event_, data_;
};

}  // namespace carillon
