// A publication as Redis has it: an entry of its channel's stream, and part of a message by which nodes tell each other.
// README.md says which fields there are. Reading checks everything: bytes that were not written here are refused, never
// trusted.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/redis/resp.h"
#include "hub/publication.h"

namespace carillon {

// "<epoch>-<offset>", as ids of entries are written.
std::string redis_position(const Position& position);
std::optional<Position> parse_redis_position(std::string_view text);
std::optional<std::int64_t> parse_redis_number(std::string_view text);

// How far a channel is known to have come, and which publication is there: after a failover it may be another one.
struct RedisMark {
  Position position;
  std::optional<std::uint64_t> random;  // What its id is made of, with the position. Absent: not known.
};
// As the scripts take it: the position, and the `id` of the entry there, which is empty where that is not known. Both are of no
// mark.
void append_mark(std::vector<std::string>& words, const std::optional<RedisMark>& mark);

// What an entry says of where it was written.
struct RedisWriter {
  std::string node;  // This node's name: sessions' ids mean something on it only.
};

// The draft's payload in gzip, when it has so many bytes or more (0: never) and is smaller so. Any thread.
std::optional<std::string> compressed_payload(const Draft& draft, std::size_t compress_bytes);

// A publication to be written: views of the draft, and of what is made of it. `id`: what makes the publication's id unique:
// where the channel keeps history 15 hexadecimal digits, else the id itself.
struct RedisEntry {
  std::string_view id, event, data;
  std::string_view idempotency_key;
  boost::container::small_vector<std::pair<std::string_view, std::string>, 4> more;  // Names and values; few have any.
};
RedisEntry redis_entry(const Draft& draft, const std::optional<std::string>& compressed, std::string_view id,
                       const RedisWriter& writer);
// As one MessagePack array, as the publishing scripts take it and messages bring it (README.md).
void append_packed(std::string& out, const RedisEntry& entry);
// As XADD takes it, but for the time.
std::size_t field_word_count(const RedisEntry& entry);
void append_fields(RespTransaction& out, const RedisEntry& entry);
// The 58 random bits of an id, as append_entry takes them.
std::string redis_random_text(std::uint64_t random);
// The id of the publication there whose entry has this `id`.
std::optional<Uuid> redis_publication_id(const std::optional<Position>& position, std::string_view id);

// Null: it cannot be read. `words` are names and values in turn, without the time.
PublicationPtr read_entry(std::string_view channel, const std::optional<Position>& position, std::int64_t time_ms,
                          std::span<const std::string_view> words, const RedisWriter& reader);
// Of what XRANGE gives for one entry: its id, and its fields.
PublicationPtr read_stream_entry(std::string_view channel, const RespValue& entry, const RedisWriter& reader);
std::optional<Position> stream_entry_position(const RespValue& entry);

// A message with publications of one channel, unpacked. Its texts are the message's.
struct RedisMessage {
  std::optional<Position> first;  // Of the first publication; those behind it follow without holes. Absent: none has one.
  std::int64_t time_ms = 0;
  std::vector<std::vector<std::string_view>> entries;  // Names and values in turn.
  std::size_t announced = 0;                           // So many entries follow in the next message, which is only these.
};
std::optional<RedisMessage> read_message(std::string_view message);
// Whether the message is only entries, which the one before it has announced.
bool is_only_entries(std::string_view message);
// Absent: it cannot be read.
std::optional<std::vector<std::vector<std::string_view>>> read_entries(std::string_view message);
// As the scripts do it: what append_packed has made, of any number of publications. `first`: as in RedisMessage.
std::string pack_message(const std::optional<Position>& first, std::int64_t time_ms, std::string_view entries);

}  // namespace carillon
