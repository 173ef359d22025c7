#include "wire/signing/hmac_sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace carillon {

HmacDigest hmac_sha256(std::string_view secret, std::string_view text) {
  HmacDigest digest{};
  unsigned int size = 0;
  const unsigned char* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                   reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  CHECK(made != nullptr && size == digest.size());
  return digest;
}

bool any_hmac_sha256(std::span<const std::string> secrets, std::string_view text, const HmacDigest& digest) {
  bool found = false;
  for (const std::string& secret : secrets) {
    found |= CRYPTO_memcmp(hmac_sha256(secret, text).data(), digest.data(), digest.size()) == 0;
  }
  return found;
}

}  // namespace carillon
