#include "protocol/phoenix/phoenix_poll_token.h"

#include <algorithm>
#include <charconv>

#include "base/id.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr std::size_t kSecretDigits = 32;
constexpr std::size_t kPlaceDigitsMax = 4;

// Takes a number and the dot behind it off the front.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

std::string make_phoenix_poll_token(PhoenixPollHome home, Random& random) {
  return std::to_string(home.node) + '.' + std::to_string(home.place) + '.' + hex_text(random.next_u64()) +
         hex_text(random.next_u64());
}

std::optional<PhoenixPollHome> phoenix_poll_home(std::string_view token) {
  PhoenixPollHome home;
  if (!take_number(token, home.node)) return std::nullopt;
  if (token.find('.') > kPlaceDigitsMax || !take_number(token, home.place)) return std::nullopt;
  if (token.size() != kSecretDigits) return std::nullopt;
  if (!std::ranges::all_of(token, [](char c) { return hex_digit_value(c) >= 0; })) return std::nullopt;
  return home;
}

}  // namespace carillon
