#include "hub/channel_name.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace carillon {

Result<void> check_channel_name(std::string_view name) {
  if (name.empty()) return Error{ErrorKind::kInvalid, "invalid channel: the name is empty"};
  if (name.size() > kChannelNameBytesMax) {
    return Error{ErrorKind::kInvalid, fmt::format("invalid channel: the name has {} bytes, at most {} are allowed", name.size(),
                                                  kChannelNameBytesMax)};
  }
  if (!is_utf8(name)) return Error{ErrorKind::kInvalid, "invalid channel: the name is not UTF-8"};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    // C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F).
    const bool c1 = byte == 0xC2 && i + 1 < name.size() && static_cast<unsigned char>(name[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F || c1) {
      return Error{ErrorKind::kInvalid, fmt::format("invalid channel: the name holds a control character at byte {}", i)};
    }
  }
  return {};
}

std::string_view parent_channel(std::string_view name) {
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) return {};
  const std::size_t slash = name.rfind('/');
  return name.substr(0, slash != std::string_view::npos && slash > colon ? slash : colon);
}

}  // namespace carillon
