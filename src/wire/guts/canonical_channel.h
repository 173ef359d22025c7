// Which channel a client means by a text, on the protocols that write channels as guts does. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

struct ChannelTextOptions {
  // Refuse what is not `repo:`, `user:` or `org:`, with guts' texts.
  bool refuse_unknown_types = false;
};

// The canonical name: `repo:`, `user:` and `org:` keep guts' shape rules and error texts (parse_guts_channel), every other
// text is a name as it stands. Errors: kInvalid. The hub's limits on names (hub/channel_name.h) come on top.
Result<std::string> canonical_channel(std::string_view text, ChannelTextOptions options = {});

}  // namespace carillon
