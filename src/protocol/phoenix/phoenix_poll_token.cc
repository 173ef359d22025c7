#include "protocol/phoenix/phoenix_poll_token.h"

#include <algorithm>
#include <charconv>

#include "base/id.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr std::size_t kSecretDigits = 32;
constexpr std::size_t kPlaceDigitsMax = 4;

}  // namespace

std::string make_phoenix_poll_token(std::size_t place, Random& random) {
  return std::to_string(place) + '.' + hex_text(random.next_u64()) + hex_text(random.next_u64());
}

std::optional<std::size_t> phoenix_poll_place(std::string_view token) {
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos || token.size() - dot - 1 != kSecretDigits || dot > kPlaceDigitsMax) return std::nullopt;
  if (!std::ranges::all_of(token.substr(dot + 1), [](char c) { return hex_digit_value(c) >= 0; })) return std::nullopt;
  std::size_t place = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + dot, place);
  if (error != std::errc() || end != token.data() + dot) return std::nullopt;
  return place;
}

}  // namespace carillon
