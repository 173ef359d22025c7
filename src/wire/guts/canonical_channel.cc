#include "wire/guts/canonical_channel.h"

#include "carillon/guts_channel.h"

namespace carillon {

Result<std::string> canonical_channel(std::string_view text, ChannelTextOptions options) {
  const bool known_type = text.starts_with("repo:") || text.starts_with("user:") || text.starts_with("org:");
  if (!known_type && !options.refuse_unknown_types) return std::string(text);
  const Result<GutsChannel> channel = parse_guts_channel(text);
  if (!channel) return channel.error();
  return channel->text();
}

}  // namespace carillon
