#include "protocol/native/native_codec.h"

#include <fmt/format.h>

#include "hub/epoch_text.h"
#include "protocol/event_json.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::size_t kIdBytesMax = 128;

struct VerbName {
  std::string_view name;
  NativeVerb verb;
};
constexpr VerbName kVerbs[] = {
    {"subscribe", NativeVerb::kSubscribe},
    {"unsubscribe", NativeVerb::kUnsubscribe},
    {"ping", NativeVerb::kPing},
    {"publish", NativeVerb::kPublish},
    {"history", NativeVerb::kHistory},
    {"subscriptions", NativeVerb::kSubscriptions},
    {"join", NativeVerb::kJoin},
    {"leave", NativeVerb::kLeave},
    {"presence", NativeVerb::kPresence},
    {"presence_stats", NativeVerb::kPresenceStats},
    {"ack", NativeVerb::kAck},
    {"nack", NativeVerb::kNack},
    {"extend", NativeVerb::kExtend},
    {"resume", NativeVerb::kResume},
    {"forget", NativeVerb::kForget},
};

Error malformed(std::string text) {
  return {ErrorKind::kInvalid, "Invalid message format: " + std::move(text)};
}

std::string describe(const JsonSpan& span) {
  switch (span.type) {
    case JsonType::kNull: return "null";
    case JsonType::kFalse:
    case JsonType::kTrue: return fmt::format("boolean `{}`", span.text);
    case JsonType::kNumber: {
      const bool whole = span.text.find_first_of(".eE") == std::string_view::npos;
      return fmt::format("{} `{}`", whole ? "integer" : "floating point", span.text.substr(0, 40));
    }
    case JsonType::kString: return "string";
    case JsonType::kArray: return "sequence";
    case JsonType::kObject: return "map";
  }
  return "value";
}

Error wrong_type(const JsonSpan& span, std::string_view expected) {
  return malformed(fmt::format("invalid type: {}, expected {}", describe(span), expected));
}

// A missing flag stays as it is.
Result<void> read_flag(const JsonSpan* span, std::string_view name, bool& flag) {
  if (span == nullptr) return {};
  if (span->type != JsonType::kTrue && span->type != JsonType::kFalse) {
    return wrong_type(*span, fmt::format("a boolean as {}", name));
  }
  flag = span->type == JsonType::kTrue;
  return {};
}

void write_id(JsonWriter& json, std::string_view id) {
  if (!id.empty()) json.key("id").raw(id);
}

void write_position(JsonWriter& json, const Position& position) {
  json.key("epoch").string(epoch_text(position.epoch)).key("offset").number(position.offset);
}

}  // namespace

// What a message may hold, still as JSON.
struct NativeReader::Fields {
  const JsonSpan* type = nullptr;
  const JsonSpan* channel = nullptr;
  const JsonSpan* event = nullptr;
  const JsonSpan* data = nullptr;
  const JsonSpan* idempotency_key = nullptr;
  const JsonSpan* recover = nullptr;
  const JsonSpan* since = nullptr;
  const JsonSpan* from_ms = nullptr;
  const JsonSpan* limit = nullptr;
  const JsonSpan* reverse = nullptr;
  const JsonSpan* presence = nullptr;
  const JsonSpan* key = nullptr;
  const JsonSpan* meta = nullptr;
  const JsonSpan* to = nullptr;
  const JsonSpan* id = nullptr;
  const JsonSpan* durable = nullptr;
  const JsonSpan* expires_s = nullptr;
  const JsonSpan* epoch = nullptr;
  const JsonSpan* offset = nullptr;
  GroupFields group;
};

Result<NativeCommand> NativeReader::read(std::string_view message) {
  id_.clear();
  const Result<Fields> fields = read_fields(message);
  if (!fields) return fields.error();
  if (const JsonSpan* const id = fields->id; id != nullptr && id->type != JsonType::kNull) {
    if (id->type != JsonType::kString && id->type != JsonType::kNumber) return wrong_type(*id, "a string or a number as id");
    if (id->text.size() > kIdBytesMax) return malformed(fmt::format("the id is longer than {} bytes", kIdBytesMax));
    id_ = id->text;
  }
  return command_of(*fields, message);
}

Result<NativeReader::Fields> NativeReader::read_fields(std::string_view message) {
  const Result<JsonDocument> document = slicer_.slice(message);
  if (!document) return malformed(document.error().text);
  Fields fields;
  if (document->root.type == JsonType::kArray) {
    // guts' JSON library takes a command as a sequence too: the type, then the channel.
    if (document->items.size() > 2) return malformed("trailing characters: a command as a sequence has one or two elements");
    if (!document->items.empty()) fields.type = &document->items[0];
    if (document->items.size() > 1) fields.channel = &document->items[1];
    return fields;
  }
  if (document->root.type != JsonType::kObject) {
    return malformed(
        json_fault(fmt::format("invalid type: {}, expected internally tagged enum ClientCommand", describe(document->root)),
                   message, message.size())
            .describe());
  }
  const std::pair<std::string_view, const JsonSpan * Fields::*> known[] = {
      {"type", &Fields::type},         {"channel", &Fields::channel},
      {"event", &Fields::event},       {"data", &Fields::data},
      {"recover", &Fields::recover},   {"idempotency_key", &Fields::idempotency_key},
      {"since", &Fields::since},       {"limit", &Fields::limit},
      {"reverse", &Fields::reverse},   {"id", &Fields::id},
      {"presence", &Fields::presence}, {"key", &Fields::key},
      {"meta", &Fields::meta},         {"to", &Fields::to},
      {"durable", &Fields::durable},   {"expires_s", &Fields::expires_s},
      {"epoch", &Fields::epoch},       {"offset", &Fields::offset},
      {"from_ms", &Fields::from_ms},
  };
  for (const JsonMember& member : document->members) {
    for (const auto& [name, field] : known) {
      if (member.key != name) continue;
      if (fields.*field != nullptr) return malformed(fmt::format("duplicate field `{}`", name));
      fields.*field = &member.value;
      break;
    }
    for (const auto& [name, field] : group_field_names()) {
      if (member.key != name) continue;
      if (fields.group.*field != nullptr) return malformed(fmt::format("duplicate field `{}`", name));
      fields.group.*field = &member.value;
      break;
    }
  }
  return fields;
}

Result<NativeCommand> NativeReader::command_of(const Fields& fields, std::string_view message) {
  if (fields.type == nullptr) return malformed(json_fault("missing field `type`", message, message.size()).describe());
  const Result<std::string_view> type = text_of(fields.type, "type", type_);
  if (!type) return type.error();
  NativeCommand command;
  const VerbName* found = nullptr;
  for (const VerbName& verb : kVerbs) {
    if (verb.name == *type) found = &verb;
  }
  if (found == nullptr) {
    return malformed(
        fmt::format("unknown variant `{}`, expected one of `subscribe`, `unsubscribe`, `ping`, `publish`, "
                    "`history`, `subscriptions`, `join`, `leave`, `presence`, `presence_stats`, `ack`, `nack`, `extend`, "
                    "`resume`, `forget`",
                    type->substr(0, 64)));
  }
  command.verb = found->verb;
  if (command.verb == NativeVerb::kPing || command.verb == NativeVerb::kSubscriptions) return command;

  if (command.verb == NativeVerb::kResume) {
    if (Result<void> read = read_durable(fields, command); !read) return read.error();
    return command;
  }

  const Result<std::string_view> channel = text_of(fields.channel, "channel", channel_);
  if (!channel) return channel.error();
  command.channel = *channel;

  Result<void> read;
  switch (command.verb) {
    case NativeVerb::kPublish: read = read_publish(fields, command); break;
    case NativeVerb::kHistory: read = read_history(fields, command); break;
    case NativeVerb::kSubscribe: read = read_subscribe(fields, command); break;
    case NativeVerb::kJoin: read = read_join(fields, command); break;
    case NativeVerb::kUnsubscribe:
      if (fields.group.group != nullptr) read = read_group(fields, command);
      break;
    case NativeVerb::kForget: read = read_durable(fields, command); break;
    case NativeVerb::kAck:
      if (fields.durable != nullptr) {
        read = read_durable(fields, command);
        break;
      }
      [[fallthrough]];
    case NativeVerb::kNack:
    case NativeVerb::kExtend: read = read_settle(fields, command); break;
    default: break;
  }
  if (!read) return read.error();
  return command;
}

Result<void> NativeReader::read_publish(const Fields& fields, NativeCommand& command) {
  const Result<std::string_view> event = text_of(fields.event, "event", event_);
  if (!event) return event.error();
  command.event = *event;
  if (fields.data == nullptr) return malformed("missing field `data`");
  command.data = fields.data->text;
  if (fields.idempotency_key != nullptr) {
    const Result<std::string_view> key = text_of(fields.idempotency_key, "idempotency_key", key_);
    if (!key) return key.error();
    command.idempotency_key = *key;
  }
  if (fields.to == nullptr) return {};
  const Result<std::string_view> to = text_of(fields.to, "to", inner_);
  if (!to) return to.error();
  if (*to != "others") return malformed(fmt::format("unknown value `{}` of `to`, expected `others`", to->substr(0, 64)));
  command.to_others = true;
  return {};
}

Result<void> NativeReader::read_history(const Fields& fields, NativeCommand& command) {
  if (fields.since != nullptr && fields.since->type != JsonType::kNull) {
    const Result<Position> since = position_of(*fields.since);
    if (!since) return since.error();
    command.since = *since;
  }
  if (fields.from_ms != nullptr && fields.from_ms->type != JsonType::kNull) {
    const std::optional<std::uint64_t> time_ms = json_u64(fields.from_ms->text);
    if (!time_ms || *time_ms > std::uint64_t{1} << 53)
      return wrong_type(*fields.from_ms, "a Unix time in milliseconds as from_ms");
    if (command.since) return malformed("`since` and `from_ms` say two things; give one of them");
    command.from_ms = static_cast<std::int64_t>(*time_ms);
  }
  if (fields.limit != nullptr) {
    command.limit = json_u64(fields.limit->text);
    if (!command.limit) return wrong_type(*fields.limit, "a whole number as limit");
  }
  return read_flag(fields.reverse, "reverse", command.reverse);
}

Result<void> NativeReader::read_durable(const Fields& fields, NativeCommand& command) {
  const Result<std::string_view> name = text_of(fields.durable, "durable", inner_);
  if (!name) return name.error();
  if (name->empty() || name->size() > NativeDurable::kNameBytesMax) {
    return malformed(fmt::format("`durable` is a name of 1 to {} bytes", NativeDurable::kNameBytesMax));
  }
  NativeDurable& durable = command.durable.emplace();
  durable.name = *name;
  if (fields.expires_s != nullptr) {
    const std::optional<std::uint64_t> seconds = json_u64(fields.expires_s->text);
    if (!seconds || *seconds == 0 || *seconds > NativeDurable::kExpiresMax) {
      return malformed(fmt::format("`expires_s` is a whole number from 1 to {}", NativeDurable::kExpiresMax));
    }
    durable.expires_s = *seconds;
  }
  if (command.verb != NativeVerb::kAck) return {};
  const Error fault =
      malformed("an ack of a durable subscription has `epoch`, a hexadecimal text, and `offset`, a whole number");
  if (fields.epoch == nullptr || fields.offset == nullptr || fields.epoch->type != JsonType::kString) return fault;
  const auto epoch = parse_epoch(json_string(fields.epoch->text, inner_).value_or(std::string_view()));
  const auto offset = json_u64(fields.offset->text);
  if (!epoch || !offset) return fault;
  durable.heard = Position{.epoch = *epoch, .offset = *offset};
  return {};
}

Result<void> NativeReader::read_group(const Fields& fields, NativeCommand& command) {
  Result<GroupRequest> group = read_group_request(fields.group);
  if (!group) return malformed(group.error().text);
  command.group = *std::move(group);
  return {};
}

Result<void> NativeReader::read_settle(const Fields& fields, NativeCommand& command) {
  const GroupSettle::Verb verb = command.verb == NativeVerb::kAck    ? GroupSettle::Verb::kAck
                                 : command.verb == NativeVerb::kNack ? GroupSettle::Verb::kNack
                                                                     : GroupSettle::Verb::kExtend;
  Result<GroupSettleRequest> settle = read_group_settle(fields.group, verb);
  if (!settle) return malformed(settle.error().text);
  command.settle = *std::move(settle);
  return {};
}

Result<void> NativeReader::read_subscribe(const Fields& fields, NativeCommand& command) {
  if (fields.group.group != nullptr) {
    if (fields.recover != nullptr || fields.presence != nullptr || fields.durable != nullptr) {
      return malformed("a subscribe with `group` has neither `recover` nor `presence` nor `durable`");
    }
    return read_group(fields, command);
  }
  if (fields.durable != nullptr) {
    if (Result<void> read = read_durable(fields, command); !read) return read;
  }
  if (fields.recover != nullptr && fields.recover->type != JsonType::kNull) {
    Result<std::vector<ChannelPosition>> positions = positions_of(*fields.recover);
    if (!positions) return positions.error();
    command.recover = *std::move(positions);
  }
  if (fields.presence == nullptr) return {};
  Result<std::optional<NativePresence>> presence = presence_of(*fields.presence);
  if (!presence) return presence.error();
  command.presence = *std::move(presence);
  return {};
}

Result<void> NativeReader::read_join(const Fields& fields, NativeCommand& command) {
  return read_key_and_meta(fields.key, fields.meta, command.presence.emplace());
}

// true, or {"watch":…,"join":…,"key":…,"meta":…}, each of which may be missing.
Result<std::optional<NativePresence>> NativeReader::presence_of(const JsonSpan& span) {
  if (span.type == JsonType::kNull || span.type == JsonType::kFalse) return std::optional<NativePresence>();
  NativePresence presence;
  if (span.type == JsonType::kTrue) return std::optional(std::move(presence));
  if (span.type != JsonType::kObject) return wrong_type(span, "a boolean or an object as presence");
  const Result<JsonDocument> object = inner_slicer_.slice(span.text);
  if (!object) return malformed(object.error().text);
  if (Result<void> read = read_flag(object->find("watch"), "watch", presence.watch); !read) return read.error();
  if (Result<void> read = read_flag(object->find("join"), "join", presence.join); !read) return read.error();
  if (Result<void> read = read_key_and_meta(object->find("key"), object->find("meta"), presence); !read) return read.error();
  return std::optional(std::move(presence));
}

Result<void> NativeReader::read_key_and_meta(const JsonSpan* key, const JsonSpan* meta, NativePresence& presence) {
  if (key != nullptr) {
    const Result<std::string_view> text = text_of(key, "key", inner_);
    if (!text) return text.error();
    presence.key = *text;
  }
  if (meta != nullptr && meta->type != JsonType::kNull) {
    if (meta->type != JsonType::kObject) return wrong_type(*meta, "an object as meta");
    presence.meta = meta->text;
  }
  return {};
}

Result<std::string_view> NativeReader::text_of(const JsonSpan* span, std::string_view name, std::string& scratch) {
  if (span == nullptr) return malformed(fmt::format("missing field `{}`", name));
  if (span->type != JsonType::kString) return wrong_type(*span, "a string");
  return json_string(span->text, scratch).value_or(std::string_view());
}

// {"epoch":"…","offset":n}
Result<Position> NativeReader::position_of(const JsonSpan& span) {
  const Error fault = malformed("a position is {\"epoch\":\"<hexadecimal text>\",\"offset\":<whole number>}");
  if (span.type != JsonType::kObject) return wrong_type(span, "a position: an object with epoch and offset");
  const Result<JsonDocument> object = inner_slicer_.slice(span.text);
  if (!object) return fault;
  const JsonSpan* const epoch = object->find("epoch");
  const JsonSpan* const offset = object->find("offset");
  if (epoch == nullptr || offset == nullptr || epoch->type != JsonType::kString) return fault;
  const auto epoch_value = parse_epoch(json_string(epoch->text, inner_).value_or(std::string_view()));
  const auto offset_value = json_u64(offset->text);
  if (!epoch_value || !offset_value) return fault;
  return Position{.epoch = *epoch_value, .offset = *offset_value};
}

// A position, or {"positions":{"<channel>":<position>, …}}, or both in one object.
Result<std::vector<ChannelPosition>> NativeReader::positions_of(const JsonSpan& span) {
  if (span.type != JsonType::kObject) return wrong_type(span, "a position, or positions by channel, as recover");
  const Result<JsonDocument> object = inner_slicer_.slice(span.text);
  if (!object) return malformed(object.error().text);
  const bool has_own = object->find("epoch") != nullptr || object->find("offset") != nullptr;
  const JsonSpan* const by_channel = object->find("positions");
  std::vector<std::pair<std::string, JsonSpan>> named;
  if (by_channel != nullptr) {
    if (by_channel->type != JsonType::kObject) return wrong_type(*by_channel, "positions by channel");
    const Result<JsonDocument> entries = inner_slicer_.slice(by_channel->text);
    if (!entries) return malformed(entries.error().text);
    for (const JsonMember& member : entries->members) named.emplace_back(std::string(member.key), member.value);
  }
  std::vector<ChannelPosition> positions;
  if (has_own || by_channel == nullptr) {
    const Result<Position> own = position_of(span);
    if (!own) return own.error();
    positions.push_back({.channel = {}, .position = *own});
  }
  for (const auto& [channel, entry] : named) {
    const Result<Position> position = position_of(entry);
    if (!position) return position.error();
    positions.push_back({.channel = channel, .position = *position});
  }
  return positions;
}

std::string native_subscribed(std::string_view channel, std::string_view id, const Subscribed& outcome,
                              const NativeSubscribed& asked) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("subscribed").key("channel").string(channel);
  write_id(json, id);
  bool others = false;
  for (const ChannelPosition& known : outcome.positions) {
    if (known.channel == asked.own_name) {
      write_position(json, known.position);
    } else {
      others = true;
    }
  }
  if (others) {
    json.key("positions").begin_object();
    for (const ChannelPosition& known : outcome.positions) {
      if (known.channel == asked.own_name) continue;
      json.key(known.channel).begin_object();
      write_position(json, known.position);
      json.end_object();
    }
    json.end_object();
  }
  if (asked.asked_to_recover) json.key("recovered").boolean(outcome.recovered);
  if (!asked.key.empty()) json.key("key").string(asked.key);
  if (!asked.durable.empty()) json.key("durable").string(asked.durable);
  json.end_object();
  return out;
}

std::string native_resumed(std::string_view durable, std::string_view id, const std::vector<std::string>& channels) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("resumed").key("durable").string(durable);
  write_id(json, id);
  json.key("channels").begin_array();
  for (const std::string& channel : channels) json.string(channel);
  json.end_array().end_object();
  return out;
}

std::string native_remembered(std::string_view type, std::string_view channel, std::string_view durable, std::string_view id) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string(type).key("channel").string(channel).key("durable").string(durable);
  write_id(json, id);
  json.end_object();
  return out;
}

std::string native_unsubscribed(std::string_view channel, std::string_view id) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("unsubscribed").key("channel").string(channel);
  write_id(json, id);
  json.end_object();
  return out;
}

std::string native_pong(std::string_view id) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("pong");
  write_id(json, id);
  json.end_object();
  return out;
}

std::string native_published(std::string_view channel, std::string_view id, const Receipt& receipt) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("published").key("channel").string(channel);
  write_id(json, id);
  json.key("event_id").string(receipt.id.text());
  if (receipt.position) write_position(json, *receipt.position);
  if (receipt.repeated) json.key("repeated").boolean(true);
  json.end_object();
  return out;
}

std::string native_history(std::string_view channel, std::string_view id, const HistoryPage& page, EventNames names) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("history").key("channel").string(channel);
  write_id(json, id);
  if (page.top) write_position(json, *page.top);
  json.key("complete").boolean(page.complete).key("more").boolean(page.more).key("events").begin_array();
  for (const PublicationPtr& publication : page.publications) {
    std::string event;
    append_event_json(event, *publication, names);
    json.raw(event);
  }
  json.end_array().end_object();
  return out;
}

std::string native_subscriptions(std::string_view id, const std::vector<std::string>& channels) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("subscriptions");
  write_id(json, id);
  json.key("channels").begin_array();
  for (const std::string& channel : channels) json.string(channel);
  json.end_array().end_object();
  return out;
}

std::string native_continuity(Continuity continuity) {
  std::string out;
  JsonWriter(out).begin_object().key("type").string("continuity").key("state").string(continuity_text(continuity)).end_object();
  return out;
}

std::string native_gap(const Gap& gap) {
  std::string out;
  JsonWriter json(out);
  json.begin_object()
      .key("type")
      .string("gap")
      .key("channel")
      .string(gap.channel)
      .key("missed")
      .number(gap.messages)
      .end_object();
  return out;
}

std::string native_joined(std::string_view channel, std::string_view id, std::string_view key) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("joined").key("channel").string(channel);
  write_id(json, id);
  json.key("key").string(key).end_object();
  return out;
}

std::string native_left(std::string_view channel, std::string_view id) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("left").key("channel").string(channel);
  write_id(json, id);
  json.end_object();
  return out;
}

std::string native_presence(std::string_view channel, std::string_view id, const PresenceState& state,
                            PresenceSessions sessions) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("presence").key("channel").string(channel);
  write_id(json, id);
  out += ',';
  append_presence_state(out, state, sessions);
  json.end_object();
  return out;
}

std::string native_presence_stats(std::string_view channel, std::string_view id, const PresenceCounts& counts) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("presence_stats").key("channel").string(channel);
  write_id(json, id);
  out += ',';
  append_presence_counts(out, counts);
  json.end_object();
  return out;
}

std::string native_presence_state(const PresenceState& state) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("presence_state").key("channel").string(state.channel);
  out += ',';
  append_presence_state(out, state, PresenceSessions::kHidden);
  json.end_object();
  return out;
}

void append_native_presence_diff(std::string& out, const PresenceUpdate& diff) {
  JsonWriter json(out);
  json.begin_object().key("type").string("presence_diff").key("channel").string(diff.channel);
  out += ',';
  append_presence_diff(out, diff);
  json.end_object();
}

std::string native_ended(std::string_view channel, std::string_view reason, bool crashed) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("unsubscribed").key("channel").string(channel).key("reason").string(reason);
  if (crashed) json.key("crashed").boolean(true);
  json.end_object();
  return out;
}

std::string native_error(std::string_view message, std::string_view code, std::string_view id) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("error").key("message").string(message).key("code").string(code);
  write_id(json, id);
  json.end_object();
  return out;
}

}  // namespace carillon
