// Any text as a token, and any text as the claims of a token that is signed: what is read comes back the same.
#include "base/check.h"
#include "wire/json/json_slicer.h"
#include "wire/signing/jwt.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const JwtRules rules{.secrets = {"a secret of thirty-two bytes, no less"}, .audience = "carillon"};
  static JsonSlicer slicer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string made = sign_jwt(text, rules.secrets.front());
  for (const std::string_view token : {text, std::string_view(made)}) {
    const Result<Jwt> read = read_jwt(token, rules, 1'700'000'000'000);
    if (!read) {
      CHECK(read.error().kind == ErrorKind::kUnauthorized && !read.error().text.empty());
      continue;
    }
    CHECK(check_user_name(read->user));
    CHECK(slicer.check(read->claims));
    CHECK(read->expires_at_ms == 0 || read->expires_at_ms > 1'700'000'000'000);
  }
  if (made.size() <= kJwtBytesMax) CHECK(*open_jws(made, rules.secrets) == text);
  return 0;
}
