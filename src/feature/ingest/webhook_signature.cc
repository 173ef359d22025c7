#include "feature/ingest/webhook_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdint>
#include <optional>

#include "base/check.h"

namespace carillon {

namespace {

constexpr std::size_t kDigestBytes = 32;
using Digest = std::array<std::uint8_t, kDigestBytes>;

Digest hmac_sha256(std::string_view secret, std::string_view body) {
  Digest digest{};
  unsigned int size = 0;
  const unsigned char* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                   reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data(), &size);
  CHECK(made != nullptr && size == kDigestBytes);
  return digest;
}

std::optional<std::uint8_t> hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<std::uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<std::uint8_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<std::uint8_t>(digit - 'A' + 10);
  return std::nullopt;
}

std::optional<Digest> parse_signature(std::string_view signature) {
  constexpr std::string_view kPrefix = "sha256=";
  if (signature.starts_with(kPrefix)) signature.remove_prefix(kPrefix.size());
  if (signature.size() != 2 * kDigestBytes) return std::nullopt;
  Digest digest{};
  for (std::size_t i = 0; i < kDigestBytes; ++i) {
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
  const std::optional<Digest> given = parse_signature(signature);
  if (!given) return false;
  bool verified = false;
  for (const std::string& secret : secrets) {
    // All secrets are tried, so that the time does not tell which one it was.
    verified |= CRYPTO_memcmp(hmac_sha256(secret, body).data(), given->data(), kDigestBytes) == 0;
  }
  return verified;
}

}  // namespace carillon
