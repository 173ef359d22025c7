// Any text as a frame: what is taken is written back as the same line, and what is refused says why.
#include <cstdint>

#include "base/check.h"
#include "carillon/lightspeed_frame.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto decoded = decode_lightspeed(line);
  if (const auto* const frame = std::get_if<LightspeedFrame>(&decoded)) {
    CHECK(encode_lightspeed(*frame) == line);
  } else {
    CHECK(!decode_error_text(std::get<lightspeed::DecodeError>(decoded)).empty());
  }
  return 0;
}
