#include "engine/redis/redis_receipts.h"

#include <array>
#include <cstring>

#include "engine/redis/redis_entry.h"
#include "engine/redis/redis_failure.h"

namespace carillon {
namespace {

RedisOutcome read_outcome(const RespValue& value, std::int64_t time_ms) {
  const Error unreadable{ErrorKind::kCorrupt, "what Redis keeps for this idempotency key cannot be read"};
  const std::string* const text = value.text();
  if (text == nullptr || text->empty()) return {.error = unreadable, .receipt = {}};
  const std::string_view rest = std::string_view(*text).substr(1);
  if (text->front() == '-') return {.error = redis_failure(RespValue{RespValue::Error{std::string(rest)}}), .receipt = {}};
  if (text->front() == '+') {
    const std::optional<Position> position = parse_redis_position(rest);
    if (position) return {.error = std::nullopt, .receipt = {.position = position, .time_ms = time_ms}};
  }
  const std::optional<Receipt> before = parse_redis_receipt(*text, "=");
  if (!before) return {.error = unreadable, .receipt = {}};
  return {.error = std::nullopt, .receipt = *before};
}

}  // namespace

RedisOutcome RedisOutcomes::of(std::size_t index) const {
  if (!first) return others[index];
  return {.error = std::nullopt, .receipt = {.position = Position{first->epoch, first->offset + index}, .time_ms = time_ms}};
}

std::optional<RedisOutcomes> read_outcomes(const RespValue& reply, std::size_t count) {
  const RespValue::Array* const parts = reply.array();
  if (parts == nullptr || parts->size() < 3) return std::nullopt;
  for (const RespValue& part : *parts) {
    if (part.text() == nullptr) return std::nullopt;
  }
  RedisOutcomes outcomes;
  const std::optional<std::int64_t> time_ms = parse_redis_number(*(*parts)[2].text());
  if (!time_ms) return std::nullopt;
  outcomes.time_ms = *time_ms;
  if ((*parts)[0].text()->empty()) {
    outcomes.first = parse_redis_position(*(*parts)[1].text());
    if (!outcomes.first) return std::nullopt;
    return outcomes;
  }
  if (parts->size() != count + 3) return std::nullopt;
  for (std::size_t i = 3; i < parts->size(); ++i) outcomes.others.push_back(read_outcome((*parts)[i], *time_ms));
  return outcomes;
}

RedisAdded read_added(const RespValue& reply, std::size_t count) {
  RedisAdded added;
  const RespValue::Array* const answers = reply.array();
  if (answers == nullptr || answers->size() != count + 2) return added;
  const RespValue::Array* const said = (*answers)[count].array();
  if (said != nullptr && said->size() == 2 && (*said)[0].text() != nullptr && (*said)[1].text() != nullptr) {
    added.first = parse_redis_position(*(*said)[0].text());
    added.told = added.first.has_value();
    added.now_ms = parse_redis_number(*(*said)[1].text());
    return added;
  }
  // The script was not run. Commands to one epoch succeed all together or not at all.
  if (const std::string* const first = answers->front().text()) added.first = parse_redis_position(*first);
  return added;
}

std::string redis_receipt_text(const Receipt& receipt) {
  const std::string position = receipt.position ? redis_position(*receipt.position) : "-";
  return position + " " + std::to_string(receipt.time_ms) + " " + receipt.id.text();
}

std::optional<Receipt> parse_redis_receipt(std::string_view text, std::string_view mark) {
  if (!text.starts_with(mark)) return std::nullopt;
  text.remove_prefix(mark.size());
  const std::size_t first = text.find(' '), second = text.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  Receipt receipt;
  receipt.repeated = true;
  const std::string_view position = text.substr(0, first);
  if (position != "-") {
    receipt.position = parse_redis_position(position);
    if (!receipt.position) return std::nullopt;
  }
  const std::optional<std::int64_t> time_ms = parse_redis_number(text.substr(first + 1, second - first - 1));
  const std::optional<Uuid> id = redis_publication_id(receipt.position, text.substr(second + 1));
  if (!time_ms || !id) return std::nullopt;
  receipt.time_ms = *time_ms;
  receipt.id = *id;
  return receipt;
}

Uuid random_uuid(FastRandom& random) {
  const std::uint64_t words[2] = {random.next_u64(), random.next_u64()};
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), words, sizeof words);
  return Uuid::from_random(bytes);
}

}  // namespace carillon
