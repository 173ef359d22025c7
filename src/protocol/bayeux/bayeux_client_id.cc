#include "protocol/bayeux/bayeux_client_id.h"

#include <cstring>

#include <algorithm>
#include <array>

#include "base/id.h"

namespace carillon {
namespace {

constexpr int kTimeDigits = 14;
constexpr int kNodeDigits = 4;  // The last ones of the time.
constexpr int kPlaceDigits = 2;
constexpr std::size_t kDigits = 40;

std::string random_digits(Random& random) {
  std::array<std::uint8_t, (kDigits - kTimeDigits - kPlaceDigits) / 2> bytes;
  random.fill(bytes);
  std::string out;
  for (const std::uint8_t byte : bytes) out += hex_text(byte, 2);
  return out;
}

bool is_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

std::size_t value_of(char digit) {
  return static_cast<std::size_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

// Microseconds: 56 bits last until the year 4253.
std::string time_digits(const Clock& clock) {
  return hex_text(static_cast<std::uint64_t>(clock.unix_ms()) * 1000, kTimeDigits);
}

}  // namespace

std::optional<BayeuxClientKey> BayeuxClientKey::of(std::string_view client_id) {
  if (client_id.size() != kBytes) return std::nullopt;
  BayeuxClientKey key;
  std::memcpy(key.text_.data(), client_id.data(), kBytes);
  return key;
}

// Of the random digits; maps mix it.
std::size_t hash_value(const BayeuxClientKey& key) {
  std::uint64_t last;
  std::memcpy(&last, key.text_.data() + BayeuxClientKey::kBytes - sizeof last, sizeof last);
  return last;
}

std::string make_bayeux_client_id(BayeuxHome home, const Clock& clock, Random& random) {
  return time_digits(clock).substr(0, kTimeDigits - kNodeDigits) + hex_text(home.node, kNodeDigits) +
         hex_text(home.place, kPlaceDigits) + random_digits(random);
}

std::optional<std::size_t> bayeux_place(std::string_view client_id) {
  if (!is_bayeux_browser_id(client_id)) return std::nullopt;
  return value_of(client_id[kTimeDigits]) * 16 + value_of(client_id[kTimeDigits + 1]);
}

std::uint16_t bayeux_node(std::string_view client_id) {
  if (!is_bayeux_browser_id(client_id)) return 0;
  std::size_t node = 0;
  for (const char digit : client_id.substr(kTimeDigits - kNodeDigits, kNodeDigits)) node = node * 16 + value_of(digit);
  return static_cast<std::uint16_t>(node);
}

std::string make_bayeux_browser_id(const Clock& clock, Random& random) {
  return time_digits(clock) + hex_text(random.below(256), kPlaceDigits) + random_digits(random);
}

bool is_bayeux_browser_id(std::string_view text) {
  return text.size() == kDigits && std::ranges::all_of(text, is_digit);
}

}  // namespace carillon
