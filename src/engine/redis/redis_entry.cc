#include "engine/redis/redis_entry.h"

#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "base/uuid_text.h"
#include "engine/redis/redis_gzip.h"
#include "hub/publication_id.h"
#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::string_view kMessageVersion = "2";
// What the first words of an entry in a message are the values of; behind them the idempotency key, and then names and values.
constexpr std::array<std::string_view, 3> kNamesOfFirst = {"id", "event", "data"};
constexpr std::size_t kIdempotencyKeyPlace = 3;
// What one compressed payload may become.
constexpr std::size_t kPayloadBytesMax = 256u << 20;

template <class Number>
std::optional<Number> parse(std::string_view text, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string tags_text(const Tags& tags) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  for (const auto& [name, value] : tags) writer.key(name).string(value);
  writer.end_object();
  return out;
}

std::optional<Tags> parse_tags(std::string_view text) {
  JsonSlicer slicer;
  const Result<JsonDocument> document = slicer.slice(text);
  if (!document || document->root.type != JsonType::kObject) return std::nullopt;
  Tags tags;
  for (const JsonMember& member : document->members) {
    if (member.value.type != JsonType::kString) return std::nullopt;
    std::optional<std::string> value = decode_json_string(member.value.text);
    if (!value) return std::nullopt;
    tags.emplace_back(member.key, *std::move(value));
  }
  return tags;
}

const char* recipients_name(DeliverTo to) {
  switch (to) {
    case DeliverTo::kAll: return "all";
    case DeliverTo::kOtherSessions: return "other_sessions";
    case DeliverTo::kOtherUsers: return "other_users";
    case DeliverTo::kOwnUser: return "user";
    case DeliverTo::kOwnSession: return "session";
  }
  return "all";
}

const char* format_name(PayloadFormat format) {
  return format == PayloadFormat::kCbor ? "cbor" : "bytes";
}

// One entry's fields as they are read.
class EntryReader {
 public:
  EntryReader(Publication& made, const RedisWriter& reader) : made_(made), reader_(reader) {}

  // Fields nobody here knows are left aside: a later version may write them.
  bool take(std::string_view name, std::string_view value) {
    if (name == "id") {
      id_ = value;
    } else if (name == "event") {
      made_.event = value;
    } else if (name == "data") {
      data_ = value;
    } else if (name == "format") {
      if (value != "cbor" && value != "bytes") return false;
      made_.format = value == "cbor" ? PayloadFormat::kCbor : PayloadFormat::kBytes;
    } else if (name == "encoding") {
      if (value != "gzip") return false;
      compressed_ = true;
    } else if (name == "user") {
      identify().user = value;
    } else if (name == "verified") {
      identify().verified = value == "1";
    } else if (name == "trusted") {
      identify().trusted = value == "1";
    } else if (name == "tags") {
      std::optional<Tags> tags = parse_tags(value);
      if (!tags) return false;
      made_.tags = *std::move(tags);
    } else if (name == "from") {
      return take_session(value);
    } else if (name == "to") {
      return take_recipients(value);
    } else if (name == "own_form") {
      own_form_ = value == "1";
    }
    return true;
  }

  bool finish() {
    if (!id_ || made_.event.empty() || !data_) return false;
    const std::optional<Uuid> id = redis_publication_id(made_.position, *id_);
    if (!id) return false;
    made_.id = *id;
    if (identity_) made_.identity = std::make_shared<const Identity>(*std::move(identity_));
    // What is said by the publisher's session means something only where that session lives.
    made_.own_form = own_form_ && made_.publisher_session != 0;
    if (!compressed_) {
      made_.payload = Bytes::copy_of(*data_);
      return true;
    }
    const std::optional<std::string> payload = gunzip(*data_, kPayloadBytesMax);
    if (!payload) return false;
    made_.payload = Bytes::copy_of(*payload);
    return true;
  }

 private:
  Identity& identify() {
    if (!identity_) identity_.emplace();
    return *identity_;
  }
  // "<node>/<session>".
  bool take_session(std::string_view value) {
    const std::size_t slash = value.rfind('/');
    if (slash == std::string_view::npos) return false;
    const std::optional<std::uint64_t> session = parse<std::uint64_t>(value.substr(slash + 1));
    if (!session) return false;
    if (value.substr(0, slash) == reader_.node) made_.publisher_session = *session;
    return true;
  }

  // A later version's word is nobody's here.
  bool take_recipients(std::string_view value) {
    for (const DeliverTo to :
         {DeliverTo::kOtherSessions, DeliverTo::kOtherUsers, DeliverTo::kOwnUser, DeliverTo::kOwnSession}) {
      if (value != recipients_name(to)) continue;
      made_.deliver_to = to;
      return true;
    }
    return false;
  }

  Publication& made_;
  const RedisWriter& reader_;
  std::optional<std::string_view> id_, data_;
  std::optional<Identity> identity_;
  bool compressed_ = false;
  bool own_form_ = false;
};

void append_big_endian(std::string& out, std::size_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

// MessagePack's strings, as cmsgpack writes them.
void pack_text(std::string& out, std::string_view text) {
  if (text.size() < 32) {
    out += static_cast<char>(0xa0 | text.size());
  } else if (text.size() < 1u << 8) {
    out += '\xd9';
    append_big_endian(out, text.size(), 1);
  } else if (text.size() < 1u << 16) {
    out += '\xda';
    append_big_endian(out, text.size(), 2);
  } else {
    out += '\xdb';
    append_big_endian(out, text.size(), 4);
  }
  out += text;
}

constexpr std::size_t kFieldsMax = 64;

void pack_array_head(std::string& out, std::size_t count) {
  if (count < 16) {
    out += static_cast<char>(0x90 | count);
  } else {
    out += '\xdc';
    append_big_endian(out, count, 2);
  }
}

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : left_(bytes) {}
  bool at_end() const { return left_.empty(); }
  std::string_view rest() const { return left_; }

  // Absent: what comes next is no text; nothing is taken then.
  std::optional<std::string_view> text() {
    if (left_.empty()) return std::nullopt;
    const auto head = static_cast<std::uint8_t>(left_[0]);
    const bool is_short = (head & 0xe0) == 0xa0;
    if (!is_short && (head < 0xd9 || head > 0xdb)) return std::nullopt;
    left_.remove_prefix(1);
    if (is_short) return take(head & 0x1f);
    const std::optional<std::size_t> size = number(std::size_t{1} << (head - 0xd9));
    return size ? take(*size) : std::nullopt;
  }
  // How many values the array has that begins here.
  std::optional<std::size_t> array() {
    if (left_.empty()) return std::nullopt;
    const auto head = static_cast<std::uint8_t>(left_[0]);
    left_.remove_prefix(1);
    if ((head & 0xf0) == 0x90) return head & 0x0f;
    return head == 0xdc ? number(2) : std::nullopt;
  }

 private:
  std::optional<std::size_t> number(std::size_t bytes) {
    const std::optional<std::string_view> digits = take(bytes);
    if (!digits) return std::nullopt;
    std::size_t value = 0;
    for (const char byte : *digits) value = value << 8 | static_cast<std::uint8_t>(byte);
    return value;
  }
  std::optional<std::string_view> take(std::size_t count) {
    if (left_.size() < count) return std::nullopt;
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }

  std::string_view left_;
};

}  // namespace

std::string redis_position(const Position& position) {
  return std::to_string(position.epoch) + "-" + std::to_string(position.offset);
}

std::optional<Position> parse_redis_position(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto epoch = parse<std::uint64_t>(text.substr(0, dash)), offset = parse<std::uint64_t>(text.substr(dash + 1));
  if (!epoch || !offset) return std::nullopt;
  return Position{*epoch, *offset};
}

std::optional<std::int64_t> parse_redis_number(std::string_view text) {
  return parse<std::int64_t>(text);
}

std::optional<std::string> compressed_payload(const Draft& draft, std::size_t compress_bytes) {
  if (compress_bytes == 0 || draft.payload.size() < compress_bytes) return std::nullopt;
  return gzip(draft.payload.view());
}

RedisEntry redis_entry(const Draft& draft, const std::optional<std::string>& compressed, std::string_view id,
                       const RedisWriter& writer) {
  RedisEntry entry{.id = id,
                   .event = draft.event,
                   .data = compressed ? std::string_view(*compressed) : draft.payload.view(),
                   .idempotency_key = draft.idempotency_key,
                   .more = {}};
  auto& more = entry.more;
  if (draft.format != PayloadFormat::kJson) more.emplace_back("format", format_name(draft.format));
  if (compressed) more.emplace_back("encoding", "gzip");
  if (draft.identity != nullptr) {
    more.emplace_back("user", draft.identity->user);
    if (draft.identity->verified) more.emplace_back("verified", "1");
    if (draft.identity->trusted) more.emplace_back("trusted", "1");
  }
  if (!draft.tags.empty()) more.emplace_back("tags", tags_text(draft.tags));
  if (draft.publisher_session != 0) more.emplace_back("from", writer.node + "/" + std::to_string(draft.publisher_session));
  if (draft.deliver_to != DeliverTo::kAll) more.emplace_back("to", recipients_name(draft.deliver_to));
  if (draft.own_form) more.emplace_back("own_form", "1");
  return entry;
}

void append_packed(std::string& out, const RedisEntry& entry) {
  const bool short_form = entry.more.empty() && entry.idempotency_key.empty();
  pack_array_head(out, short_form ? 3 : 4 + 2 * entry.more.size());
  for (const std::string_view first : {entry.id, entry.event, entry.data}) pack_text(out, first);
  if (short_form) return;
  pack_text(out, entry.idempotency_key);
  for (const auto& [name, value] : entry.more) {
    pack_text(out, name);
    pack_text(out, value);
  }
}

std::size_t field_word_count(const RedisEntry& entry) {
  return 2 * (kNamesOfFirst.size() + entry.more.size());
}

void append_fields(RespTransaction& out, const RedisEntry& entry) {
  out.word("id").word(entry.id).word("event").word(entry.event).word("data").word(entry.data);
  for (const auto& [name, value] : entry.more) out.word(name).word(value);
}

std::string redis_random_text(std::uint64_t random) {
  return hex_text(random & ((std::uint64_t{1} << 58) - 1), 15);
}

void append_mark(std::vector<std::string>& words, const std::optional<RedisMark>& mark) {
  words.push_back(mark ? redis_position(mark->position) : "");
  words.push_back(mark && mark->random ? redis_random_text(*mark->random) : "");
}

std::optional<Uuid> redis_publication_id(const std::optional<Position>& position, std::string_view id) {
  if (!position) return parse_uuid(id);
  const std::optional<std::uint64_t> random = parse<std::uint64_t>(id, 16);
  if (!random) return std::nullopt;
  return publication_id(*position, *random);
}

PublicationPtr read_entry(std::string_view channel, const std::optional<Position>& position, std::int64_t time_ms,
                          std::span<const std::string_view> words, const RedisWriter& reader) {
  auto publication = std::make_unique<Publication>();
  publication->channel = channel;
  publication->position = position;
  publication->time_ms = time_ms;
  EntryReader entry(*publication, reader);
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    if (!entry.take(words[i], words[i + 1])) return nullptr;
  }
  if (!entry.finish()) return nullptr;
  return PublicationPtr(publication.release());
}

std::optional<Position> stream_entry_position(const RespValue& entry) {
  const RespValue::Array* const parts = entry.array();
  if (parts == nullptr || parts->size() != 2 || (*parts)[0].text() == nullptr) return std::nullopt;
  return parse_redis_position(*(*parts)[0].text());
}

PublicationPtr read_stream_entry(std::string_view channel, const RespValue& entry, const RedisWriter& reader) {
  const std::optional<Position> position = stream_entry_position(entry);
  if (!position) return nullptr;
  const RespValue::Array* const fields = (*entry.array())[1].array();
  if (fields == nullptr) return nullptr;
  std::vector<std::string_view> words;
  words.reserve(fields->size());
  for (const RespValue& field : *fields) {
    if (field.text() == nullptr) return nullptr;
    words.push_back(*field.text());
  }
  if (words.size() < 2 || words[0] != "time") return nullptr;
  const std::optional<std::int64_t> time_ms = parse_redis_number(words[1]);
  if (!time_ms) return nullptr;
  return read_entry(channel, position, *time_ms, std::span(words).subspan(2), reader);
}

std::optional<RedisMessage> read_message(std::string_view message) {
  Unpacker unpacker(message);
  RedisMessage read;
  const auto version = unpacker.text(), first = unpacker.text(), time = unpacker.text();
  if (!version || *version != kMessageVersion || !first || !time) return std::nullopt;
  if (!first->empty()) {
    read.first = parse_redis_position(*first);
    if (!read.first) return std::nullopt;
  }
  const std::optional<std::int64_t> time_ms = parse_redis_number(*time);
  if (!time_ms) return std::nullopt;
  read.time_ms = *time_ms;
  if (const std::optional<std::string_view> announced = unpacker.text()) {
    const std::optional<std::int64_t> count = parse_redis_number(*announced);
    if (!count || *count <= 0 || !read.first || !unpacker.at_end()) return std::nullopt;
    read.announced = static_cast<std::size_t>(*count);
    return read;
  }
  auto entries = read_entries(unpacker.rest());
  if (!entries) return std::nullopt;
  read.entries = *std::move(entries);
  return read;
}

bool is_only_entries(std::string_view message) {
  return Unpacker(message).array().has_value();
}

std::optional<std::vector<std::vector<std::string_view>>> read_entries(std::string_view message) {
  Unpacker unpacker(message);
  std::vector<std::vector<std::string_view>> entries;
  while (!unpacker.at_end()) {
    const std::optional<std::size_t> count = unpacker.array();
    if (!count || *count < kNamesOfFirst.size() || *count > kFieldsMax) return std::nullopt;
    std::vector<std::string_view>& words = entries.emplace_back();
    words.reserve(*count + kNamesOfFirst.size());
    for (std::size_t i = 0; i < *count; ++i) {
      const std::optional<std::string_view> word = unpacker.text();
      if (!word) return std::nullopt;
      if (i == kIdempotencyKeyPlace) continue;
      if (i < kNamesOfFirst.size()) words.push_back(kNamesOfFirst[i]);
      words.push_back(*word);
    }
  }
  return entries;
}

std::string pack_message(const std::optional<Position>& first, std::int64_t time_ms, std::string_view entries) {
  std::string out;
  pack_text(out, kMessageVersion);
  pack_text(out, first ? redis_position(*first) : "");
  pack_text(out, std::to_string(time_ms));
  out += entries;
  return out;
}

}  // namespace carillon
