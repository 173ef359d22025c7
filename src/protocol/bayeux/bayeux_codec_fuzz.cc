// Any request: each field of its messages is JSON of its type and lies inside the request or the reader; what is written of the
// messages reads back the same. Any text as everything else that a request holds.
#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "hub/position_text.h"
#include "protocol/bayeux/bayeux_codec.h"
#include "protocol/bayeux/bayeux_replay.h"

using namespace carillon;

namespace {

void write(JsonWriter& json, const char* name, std::string_view raw) {
  if (!raw.empty()) json.key(name).raw(raw);
}

std::string written(std::span<const BayeuxMessage> messages) {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const BayeuxMessage& message : messages) {
    json.begin_object().key("channel").string(message.channel).key("clientId").string(message.client_id);
    write(json, "id", message.id_json);
    write(json, "data", message.data_json);
    write(json, "ext", message.ext_json);
    write(json, "subscription", message.subscription_json);
    json.key("supportedConnectionTypes").begin_array();
    for (const std::string& type : message.connection_types) json.string(type);
    json.end_array().key("advice").begin_object();
    if (message.wishes.timeout) json.key("timeout").number(*message.wishes.timeout);
    if (message.wishes.interval) json.key("interval").number(*message.wishes.interval);
    json.end_object().end_object();
  }
  json.end_array();
  return out;
}

bool same(const BayeuxMessage& a, const BayeuxMessage& b) {
  return a.channel == b.channel && a.id_json == b.id_json && a.client_id == b.client_id && a.data_json == b.data_json &&
         a.ext_json == b.ext_json && a.subscription_json == b.subscription_json && a.subscriptions == b.subscriptions &&
         a.connection_types == b.connection_types && a.wishes.timeout == b.wishes.timeout &&
         a.wishes.interval == b.wishes.interval;
}

// What a client says that it knows is a channel's position each, and not too many.
void check_replay(const BayeuxMessage& message) {
  const Result<BayeuxReplayWishes> wishes = read_bayeux_replay(message.ext_json, BayeuxAlphabet::kCometd);
  if (!wishes) return CHECK(wishes.error().kind == ErrorKind::kInvalid || wishes.error().kind == ErrorKind::kTooLarge);
  for (const std::string& subscription : message.subscriptions) {
    const std::optional<std::vector<ChannelPosition>> known = wishes->of(subscription);
    if (!known) continue;
    CHECK(known->size() <= kBayeuxReplayPositionsMax);
    for (const auto& [channel, position] : *known) {
      CHECK(canonical_of_bayeux(bayeux_of_canonical(channel, BayeuxAlphabet::kCometd), BayeuxAlphabet::kCometd));
      CHECK(parse_position_text(position_text(position)) == position);
    }
  }
}

void check_request(std::string_view text) {
  static BayeuxReader reader(16), again(16);
  const Result<std::span<const BayeuxMessage>> messages = reader.read(text);
  if (!messages) return;
  CHECK(!messages->empty() && messages->size() <= 16);
  const std::string copy = written(*messages);
  const Result<std::span<const BayeuxMessage>> copies = again.read(copy);
  CHECK(copies && copies->size() == messages->size());
  for (std::size_t i = 0; i < messages->size(); ++i) {
    const BayeuxMessage& message = (*messages)[i];
    CHECK(same(message, (*copies)[i]));
    CHECK(message.ext_json.empty() || reader.members(message.ext_json));
    check_replay(message);
    CHECK(message.fault.empty() || message.fault.find("::") == 3);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static JsonSlicer slicer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_request(text);
  // The first line as a content type, the rest as a body.
  const std::string_view type = text.substr(0, text.find('\n'));
  const std::string_view body = text.substr(std::min(type.size() + 1, text.size()));
  for (const std::string_view content_type : {type, std::string_view("application/x-www-form-urlencoded"),
                                              std::string_view("a/b;charset=utf-16le"), std::string_view("a/b;charset=l1")}) {
    const Result<std::vector<std::string>> texts = bayeux_body_texts(content_type, body);
    if (!texts) continue;
    for (const std::string& each : *texts) CHECK(is_utf8(each)), check_request(each);
  }
  const auto inside = [text](std::string_view part) { return part.empty() || text.find(part) != std::string_view::npos; };
  CHECK(inside(glance_at_client_id(text)) && inside(cookie_value(text, "a")));
  CHECK(!bayeux_version_at_most(text, "1.0") || bayeux_version_at_most(text, text));
  CHECK(!is_jsonp_callback(text) || text.size() <= 64);
  CHECK(!is_bayeux_id(text) || slicer.check(text));
  if (slicer.check(text)) {
    const std::string jsonp = jsonp_body("f", text);
    CHECK(jsonp.find("\xE2\x80\xA8") == std::string::npos && jsonp.find("\xE2\x80\xA9") == std::string::npos);
    CHECK(slicer.check(std::string_view(jsonp).substr(6, jsonp.size() - 7)));
  }
  return 0;
}
