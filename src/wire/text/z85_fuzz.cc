// Any input, as bytes and as text: bytes come back from their text, and what a text says is said by the text written of it.
#include "base/check.h"
#include "wire/text/z85.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string text = z85_encode(input);
  CHECK(z85_decode(text) == input);
  const std::optional<std::string> bytes = z85_decode(input);
  if (!bytes) return 0;
  const std::string again = z85_encode(*bytes);
  CHECK(again.size() == input.size() && z85_decode(again) == *bytes);
  // Only the characters of a short last group have more than one way to say a byte.
  if (input.size() % 5 == 0) CHECK(again == input);
  return 0;
}
