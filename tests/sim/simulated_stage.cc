#include "sim/simulated_stage.h"

#include <deque>

namespace carillon {
namespace {

// Longer than any delay of the network adds up to; short enough that no heartbeat comes meanwhile.
constexpr Millis kPatience{500};

}  // namespace

class SimulatedStage::Client final : public SimClientEvents {
 public:
  Client(SimServer& server, const SimNetworkOptions& network) : speaker(server, network, *this) {}

  void begin() {
    heard.clear();
    answer.reset();
    code.reset();
    opened = false;
  }

  void on_open() override { opened = true; }
  void on_message(std::string_view message) override { heard.emplace_back(message); }
  void on_binary(std::string_view message) override { heard.push_back(shown_binary(message)); }
  void on_line(std::string_view line) override { heard.emplace_back(line); }
  void on_answer(const HttpResponse& response) override { answer = Answer{response.status, response.body}; }
  void on_gone(std::uint16_t close_code) override { code = close_code; }

  SimClient speaker;
  std::deque<std::string> heard;
  std::optional<Answer> answer;
  std::optional<int> code;
  bool opened = false;
};

SimulatedStage::SimulatedStage(std::uint64_t seed, const ServerOptions& options, const SimNetworkOptions& network)
    : world_(seed), server_(world_, options, 2), network_(network) {}

SimulatedStage::~SimulatedStage() = default;

SimulatedStage::Client& SimulatedStage::client(const std::string& name) {
  std::unique_ptr<Client>& found = clients_[name];
  if (found == nullptr) found = std::make_unique<Client>(server_, network_);
  return *found;
}

bool SimulatedStage::wait(const std::function<bool()>& done) {
  return world_.run_until(done, kPatience);
}

void SimulatedStage::open(const std::string& name, const TalkOpening& opening) {
  Client& opening_client = client(name);
  opening_client.begin();
  opening_client.speaker.open_websocket(opening.target, opening.fields);
  wait([&] { return opening_client.opened || opening_client.answer; });
}

void SimulatedStage::listen(const std::string& name, const TalkOpening& opening) {
  Client& listening = client(name);
  listening.begin();
  listening.speaker.listen(opening.target, opening.fields);
  wait([&] { return listening.opened || listening.answer; });
}

void SimulatedStage::ask(const std::string& name, std::string_view method, std::string_view target, std::string_view body) {
  client(name).answer.reset();
  client(name).speaker.ask(method, target, body);
}

void SimulatedStage::send(const std::string& name, std::string_view message, bool binary) {
  client(name).speaker.say(message, binary ? WebSocketOpcode::kBinary : WebSocketOpcode::kText);
}

void SimulatedStage::close(const std::string& name) {
  Client& closing = client(name);
  closing.speaker.close();
  wait([&] { return !closing.speaker.connected(); });
}

std::optional<std::string> SimulatedStage::hear(const std::string& name) {
  std::deque<std::string>& heard = client(name).heard;
  if (!wait([&] { return !heard.empty(); })) return std::nullopt;
  std::string first = std::move(heard.front());
  heard.pop_front();
  return first;
}

std::optional<TalkStage::Answer> SimulatedStage::answer(const std::string& name) {
  Client& asking = client(name);
  wait([&] { return asking.answer.has_value(); });
  return asking.answer;
}

std::optional<int> SimulatedStage::closed(const std::string& name) {
  Client& waiting = client(name);
  wait([&] { return waiting.code.has_value(); });
  return waiting.code;
}

std::optional<std::string> SimulatedStage::unheard() {
  world_.run_for(kPatience);
  for (const auto& [name, entry] : clients_) {
    if (!entry->heard.empty()) return name + ": " + entry->heard.front();
  }
  return std::nullopt;
}

}  // namespace carillon
