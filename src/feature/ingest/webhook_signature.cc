#include "feature/ingest/webhook_signature.h"

#include <cstdint>
#include <optional>

#include "wire/signing/hmac_sha256.h"

namespace carillon {

namespace {

std::optional<std::uint8_t> hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<std::uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<std::uint8_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<std::uint8_t>(digit - 'A' + 10);
  return std::nullopt;
}

std::optional<HmacDigest> parse_signature(std::string_view signature) {
  constexpr std::string_view kPrefix = "sha256=";
  if (signature.starts_with(kPrefix)) signature.remove_prefix(kPrefix.size());
  HmacDigest digest{};
  if (signature.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const auto high = hex_value(signature[2 * i]);
    const auto low = hex_value(signature[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    digest[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return digest;
}

}  // namespace

std::string webhook_signature(std::string_view secret, std::string_view body) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : hmac_sha256(secret, body)) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool verify_webhook_signature(std::span<const std::string> secrets, std::string_view body, std::string_view signature) {
  const std::optional<HmacDigest> given = parse_signature(signature);
  return given && any_hmac_sha256(secrets, body, *given);
}

}  // namespace carillon
