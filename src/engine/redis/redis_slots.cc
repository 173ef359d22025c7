#include "engine/redis/redis_slots.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace carillon {
namespace {

constexpr std::array<std::uint16_t, 256> make_crc_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}

constexpr std::array<std::uint16_t, 256> kCrcTable = make_crc_table();

std::uint16_t crc16(std::string_view bytes) {
  unsigned crc = 0;
  for (const char byte : bytes) crc = (crc << 8 ^ kCrcTable[(crc >> 8 ^ static_cast<unsigned char>(byte)) & 0xff]) & 0xffff;
  return static_cast<std::uint16_t>(crc);
}

template <class Number>
std::optional<Number> parse(std::string_view digits) {
  Number number = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (fault != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// A slot's bound in an answer.
std::optional<std::uint16_t> slot_in(const RespValue& value) {
  const std::int64_t* const number = value.number();
  if (number == nullptr || *number < 0 || *number >= static_cast<std::int64_t>(kRedisSlots)) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

// A node as [host, port, …]. A host that is null, empty or "?" is that of who was asked.
std::optional<RedisOptions::Server> node_in(const RespValue& value, const RedisOptions::Server& asked) {
  const RespValue::Array* const node = value.array();
  if (node == nullptr || node->size() < 2) return std::nullopt;
  const std::string* const host = (*node)[0].text();
  const std::int64_t* const port = (*node)[1].number();
  if ((host == nullptr && !(*node)[0].is_null()) || port == nullptr || *port < 0 || *port > 65'535) return std::nullopt;
  const bool known = host != nullptr && !host->empty() && *host != "?";
  return RedisOptions::Server{.host = known ? *host : asked.host, .port = static_cast<std::uint16_t>(*port)};
}

std::optional<RedisSlotRange> range_in(const RespValue& value, const RedisOptions::Server& asked) {
  const RespValue::Array* const entry = value.array();
  if (entry == nullptr || entry->size() < 3) return std::nullopt;
  const std::optional<std::uint16_t> first = slot_in((*entry)[0]);
  const std::optional<std::uint16_t> last = slot_in((*entry)[1]);
  const std::optional<RedisOptions::Server> master = node_in((*entry)[2], asked);
  if (!first || !last || *first > *last || !master) return std::nullopt;
  RedisSlotRange range{.first = *first, .last = *last, .master = *master, .replicas = {}};
  for (std::size_t i = 3; i < entry->size(); ++i) {
    if (std::optional<RedisOptions::Server> replica = node_in((*entry)[i], asked))
      range.replicas.push_back(std::move(*replica));
  }
  return range;
}

}  // namespace

std::uint16_t redis_slot_of(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  return crc16(key) % kRedisSlots;
}

std::optional<std::vector<RedisSlotRange>> read_cluster_slots(const RespValue& answer, const RedisOptions::Server& asked) {
  const RespValue::Array* const entries = answer.array();
  if (entries == nullptr) return std::nullopt;
  std::vector<RedisSlotRange> ranges;
  for (const RespValue& entry : *entries) {
    std::optional<RedisSlotRange> range = range_in(entry, asked);
    if (!range) return std::nullopt;
    ranges.push_back(std::move(*range));
  }
  return ranges;
}

std::optional<RedisRedirection> read_redirection(std::string_view error, const RedisOptions::Server& asked) {
  RedisRedirection redirection;
  if (error.starts_with("MOVED ")) {
    redirection.for_good = true;
    error.remove_prefix(6);
  } else if (error.starts_with("ASK ")) {
    error.remove_prefix(4);
  } else {
    return std::nullopt;
  }
  const std::size_t space = error.find(' ');
  const std::size_t colon = error.rfind(':');
  if (space == std::string_view::npos || colon == std::string_view::npos || colon < space) return std::nullopt;
  const std::optional<std::uint16_t> slot = parse<std::uint16_t>(error.substr(0, space));
  const std::optional<std::uint16_t> port = parse<std::uint16_t>(error.substr(colon + 1));
  if (!slot || *slot >= kRedisSlots || !port) return std::nullopt;
  redirection.slot = *slot;
  const std::string_view host = error.substr(space + 1, colon - space - 1);
  redirection.to = {.host = host.empty() || host == "?" ? asked.host : std::string(host), .port = *port};
  return redirection;
}

bool operator==(const RedisOptions::Server& a, const RedisOptions::Server& b) {
  return a.port == b.port && a.host == b.host;
}

std::string describe_server(const RedisOptions::Server& server) {
  if (server.host.find(':') == std::string::npos) return fmt::format("{}:{}", server.host, server.port);
  return fmt::format("[{}]:{}", server.host, server.port);
}

}  // namespace carillon
