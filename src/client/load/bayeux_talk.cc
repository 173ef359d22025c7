#include "client/load/bayeux_talk.h"

#include <fmt/core.h>

#include <algorithm>

namespace carillon {
namespace {

// As long as those of a Carillon server, so that its requests and the floor's are of one length.
constexpr std::string_view kFloorClientId = "0000000000000000000000000000000000000000";
constexpr std::string_view kFloorCookie = "BAYEUX_BROWSER=0000000000000000000000000000000000000000";

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The server writes compactly: no blanks between a name and its value.
bool is_refused(std::string_view text) {
  return has(text, R"("successful":false)");
}

std::string_view text_of(std::string_view json, std::string_view quoted_name) {
  const std::size_t name = json.find(quoted_name);
  if (name == std::string_view::npos) return {};
  json.remove_prefix(name + quoted_name.size());
  if (!json.starts_with(":\"")) return {};
  json.remove_prefix(2);
  return json.substr(0, json.find('"'));
}

}  // namespace

std::string bayeux_channel_name(std::string_view channel) {
  std::string name = "/" + std::string(channel);
  std::replace(name.begin(), name.end(), ':', '/');
  return name;
}

BayeuxTalk::BayeuxTalk(std::string_view channel) : channel_(bayeux_channel_name(channel)) {}

BayeuxTalk::Turn BayeuxTalk::begin(const BayeuxPlace& place) {
  if (place.carrier == BayeuxCarrier::kFloorPolling) {
    state_ = State::kListening;
    client_id_ = kFloorClientId;
    cookie_ = kFloorCookie;
    compose_connect(place, "");
    return {.say = say_, .subscribed = true};
  }
  compose(place, "/handshake",
          fmt::format(R"([{{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["{}"]}}])",
                      place.polls() ? "long-polling" : "websocket"));
  return {.say = say_};
}

BayeuxTalk::Turn BayeuxTalk::on_messages(const BayeuxPlace& place, std::string_view text) {
  if (is_refused(text)) return {.fault = text};
  if (!listening()) return go_on(place, text);
  if (!has(text, R"("/meta/connect")")) return {};
  return {.say = say_};
}

BayeuxTalk::Turn BayeuxTalk::on_answer(const BayeuxPlace& place, const ScannedAnswer& answer) {
  if (answer.status != 200) return {.fault = answer.head};
  if (is_refused(answer.body)) return {.fault = answer.body};
  if (listening()) return {.say = say_};
  if (const std::string_view cookie = answer.field("set-cookie"); !cookie.empty()) cookie_ = cookie.substr(0, cookie.find(';'));
  return go_on(place, answer.body);
}

// Other messages than the reply that is waited for may come before it.
BayeuxTalk::Turn BayeuxTalk::go_on(const BayeuxPlace& place, std::string_view text) {
  switch (state_) {
    case State::kHandshaking:
      client_id_ = text_of(text, R"("clientId")");
      if (client_id_.empty()) return {.fault = text};
      state_ = State::kConnecting;
      compose_connect(place, R"(,"advice":{"timeout":0})");
      return {.say = say_};
    case State::kConnecting:
      if (!has(text, R"("/meta/connect")")) return {};
      state_ = State::kSubscribing;
      compose(place, "/",
              fmt::format(R"([{{"id":"3","channel":"/meta/subscribe","subscription":"{}","clientId":"{}"}}])", channel_,
                          client_id_));
      return {.say = say_};
    case State::kSubscribing:
      if (!has(text, R"("/meta/subscribe")")) return {};
      state_ = State::kListening;
      compose_connect(place, "");
      return {.say = say_, .subscribed = true};
    case State::kListening: break;
  }
  return {};
}

void BayeuxTalk::compose_connect(const BayeuxPlace& place, std::string_view advice) {
  compose(place, "/connect",
          fmt::format(R"([{{"id":"2","channel":"/meta/connect","connectionType":"{}"{},"clientId":"{}"}}])",
                      place.polls() ? "long-polling" : "websocket", advice, client_id_));
}

// By HTTP each type of message has its own place below the server's, as cometd's clients do it.
void BayeuxTalk::compose(const BayeuxPlace& place, std::string_view type, std::string_view messages) {
  if (!place.polls()) {
    say_ = messages;
    return;
  }
  say_ = fmt::format("POST {}{} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json;charset=UTF-8\r\n", place.path, type,
                     place.authority);
  if (!cookie_.empty()) say_ += fmt::format("Cookie: {}\r\n", cookie_);
  say_ += fmt::format("Content-Length: {}\r\n\r\n{}", messages.size(), messages);
}

}  // namespace carillon
