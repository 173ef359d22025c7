#include "sim/sim_people.h"

#include <fmt/format.h>

#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

constexpr Millis kPublishPauseMax{60};
constexpr Millis kAwayMin{1}, kAwayMax{400};
constexpr std::uint64_t kPaddingMax = 600;

// The members of one JSON object, their values as JSON.
std::map<std::string, std::string, std::less<>> members_of(std::string_view json) {
  JsonSlicer slicer;
  std::map<std::string, std::string, std::less<>> members;
  const Result<JsonDocument> document = slicer.slice(json);
  if (!document) return members;
  for (const JsonMember& member : document->members) members.emplace(member.key, member.value.text);
  return members;
}

std::string text_of(std::string_view json) {
  return decode_json_string(json).value_or(std::string());
}
std::uint64_t number_of(std::string_view json) {
  return json_u64(json).value_or(0);
}

}  // namespace

SimPerson::SimPerson(SimServer& server, const SimNetworkOptions& network, SimFaults& faults, std::string name)
    : server_(server), faults_(faults), name_(std::move(name)), client_(server, network, *this) {}

void SimPerson::lose(bool server_is_told) {
  if (!client_.connected()) return;
  if (server_is_told) {
    client_.cut();
  } else {
    client_.vanish();
  }
  come_back();
}

void SimPerson::come_back() {
  connect_after(world().random().between(kAwayMin, kAwayMax));
}

void SimPerson::connect_after(Millis delay) {
  world().after(delay, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired() || retired_ || client_.connected()) return;
    connect();
  });
}

void SimPerson::fault(std::string text) {
  faults_.push_back(fmt::format("{} ms, {}: {}", world().now().count(), name_, text));
}

// --- Publishing

SimPublisher::SimPublisher(SimServer& server, const SimNetworkOptions& network, SimFaults& faults, std::string name, Way way,
                           std::vector<std::string> channels)
    : SimPerson(server, network, faults, std::move(name)), way_(way), channels_(std::move(channels)) {
  next();
}

void SimPublisher::next() {
  ++number_;
  channel_ = channels_[world().random().below(channels_.size())];
  body_ = fmt::format(R"("channel":"{}","event":"said","data":{{"by":"{}","n":{},"padding":"{}"}},"idempotency_key":"{}-{}"}})",
                      channel_, name_, number_, std::string(world().random().below(kPaddingMax), 'x'), name_, number_);
}

void SimPublisher::connect() {
  if (way_ == Way::kNative) return client_.open_websocket("/ws");
  say();
}

void SimPublisher::say() {
  if (acknowledged_ == number_) return;
  if (way_ == Way::kApi) return client_.ask("POST", "/api/publish", "{" + body_);
  client_.say(fmt::format(R"({{"type":"publish","id":{},{})", number_, body_));
}

void SimPublisher::on_message(std::string_view message) {
  const auto answer = members_of(message);
  if (answer.contains("type") && answer.at("type") == "\"published\"" && number_of(answer.at("id")) == number_)
    return acknowledge();
  fault(fmt::format("published {} and heard {}", number_, message));
}

void SimPublisher::on_answer(const HttpResponse& response) {
  if (response.status == 200) return acknowledge();
  fault(fmt::format("published {} and was answered {} {}", number_, response.status, response.body));
}

void SimPublisher::acknowledge() {
  acknowledged_ = number_;
  if (finishing_) return;
  world().after(world().random().between(Millis{1}, kPublishPauseMax), [this] {
    if (finishing_ || acknowledged_ != number_) return;
    next();
    if (client_.connected() || way_ == Way::kApi) say();
  });
}

// --- Listening

bool SimListener::complete(std::string_view channel, std::uint64_t top) const {
  const auto found = heard_.find(channel);
  return found != heard_.end() && found->second.started + found->second.events + found->second.missed == top;
}

std::string SimListener::report() const {
  std::string text = name_;
  for (const auto& [channel, known] : heard_) {
    text += fmt::format(" {}: from {} {} events, {} missed, last {};", channel, known.started, known.events, known.missed,
                        known.last);
  }
  return text;
}

void SimListener::know(const std::string& channel, std::string_view position_json) {
  const auto position = members_of(position_json);
  if (!position.contains("offset") || heard_.contains(channel)) return;
  const std::uint64_t offset = number_of(position.at("offset"));
  heard_.emplace(channel, SimHeard{.epoch = text_of(position.at("epoch")), .started = offset, .last = offset});
}

void SimListener::hear_event(std::string_view json) {
  const auto event = members_of(json);
  const std::string channel = text_of(event.at("channel")), epoch = text_of(event.at("epoch"));
  const std::uint64_t offset = number_of(event.at("offset"));
  const bool is_new = !heard_.contains(channel);
  SimHeard& known = heard_[channel];  // A channel that begins later is heard from its beginning.
  if (is_new) known.epoch = epoch;
  const bool follows = all_ ? offset == known.last + 1 : offset > known.last;
  if (epoch != known.epoch || !follows) {
    fault(fmt::format("{} {}:{} came after {}:{}", channel, epoch, offset, known.epoch, known.last));
  }
  known.last = offset;
  ++known.events;
}

void SimListener::hear_gap(std::string_view json) {
  const auto gap = members_of(json);
  if (all_) fault(fmt::format("heard {}", json));
  heard_[text_of(gap.at("channel"))].missed += number_of(gap.at("missed"));
}

void SimSubscriber::on_open() {
  std::string recover;
  for (const auto& [channel, known] : heard_) {
    recover +=
        fmt::format(R"({}"{}":{{"epoch":"{}","offset":{}}})", recover.empty() ? "" : ",", channel, known.epoch, known.last);
  }
  client_.say(fmt::format(R"({{"type":"subscribe","channel":"{}"{}}})", channel_,
                          known_ ? fmt::format(R"(,"recover":{{"positions":{{{}}}}})", recover) : ""));
}

void SimSubscriber::on_message(std::string_view message) {
  const auto members = members_of(message);
  const std::string type = members.contains("type") ? text_of(members.at("type")) : "";
  if (type == "event") return hear_event(message);
  if (type == "gap") return hear_gap(message);
  if (type != "subscribed") return fault(fmt::format("heard {}", message));
  if (std::exchange(known_, true)) {
    if (members.at("recovered") != "true") fault(fmt::format("was not recovered: {}", message));
    return;
  }
  know(channel_, message);
  if (!members.contains("positions")) return;
  for (const auto& [channel, position] : members_of(members.at("positions"))) know(channel, position);
}

void SimStreamReader::connect() {
  std::string target = "/api/events?";
  for (const std::string& channel : channels_) target += "channel=" + channel + "&";
  id_ = last_id_;
  event_.clear();
  data_.clear();
  client_.listen(target, last_id_.empty() ? SimClient::Fields{} : SimClient::Fields{{"Last-Event-ID", last_id_}});
}

void SimStreamReader::on_line(std::string_view line) {
  if (line.empty()) return dispatch();
  const auto value_of = [line](std::string_view field) { return std::string(line.substr(field.size())); };
  if (line.starts_with("id: ")) id_ = value_of("id: ");
  if (line.starts_with("event: ")) event_ = value_of("event: ");
  if (line.starts_with("data: ")) data_ = value_of("data: ");
}

void SimStreamReader::dispatch() {
  last_id_ = id_;
  const std::string event = std::exchange(event_, {}), data = std::exchange(data_, {});
  if (data.empty()) return take_cursor();
  if (event.empty()) return hear_event(data);
  if (event == "gap") return hear_gap(data);
  fault(fmt::format("heard {} {}", event, data));
}

// Where its channels begin: CHANNEL=EPOCH:OFFSET;…
void SimStreamReader::take_cursor() {
  std::string_view rest = last_id_;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    const std::size_t equals = entry.find('='), colon = entry.rfind(':');
    know(std::string(entry.substr(0, equals)),
         fmt::format(R"({{"epoch":"{}","offset":{}}})", entry.substr(equals + 1, colon - equals - 1), entry.substr(colon + 1)));
  }
}

}  // namespace carillon
