// Any text as a cursor: what is read is written again and read back the same.
#include "base/check.h"
#include "hub/channel_name.h"
#include "protocol/sse/sse_codec.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cursor = parse_sse_cursor(text);
  if (!cursor) return 0;
  CHECK(!cursor->empty());
  for (const ChannelPosition& known : *cursor) CHECK(check_channel_name(known.channel));
  const std::string written = sse_cursor(*cursor);
  CHECK(written.find_first_of(std::string_view("\r\n\0 ", 4)) == std::string::npos);
  const auto again = parse_sse_cursor(written);
  CHECK(again && *again == *cursor);
  return 0;
}
