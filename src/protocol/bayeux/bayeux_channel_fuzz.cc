// Any text as a hub's name, as a Bayeux name and as a pattern: names come back the same both ways, and what a pattern fits is
// what its selector hears.
#include <algorithm>

#include "base/check.h"
#include "hub/channel_name.h"
#include "protocol/bayeux/bayeux_channel.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const BayeuxAlphabet alphabet : {BayeuxAlphabet::kCometd, BayeuxAlphabet::kStrict}) {
    if (check_channel_name(text)) {
      const std::string bayeux = bayeux_of_canonical(text, alphabet);
      CHECK(bayeux_channel_kind(bayeux, alphabet) && *bayeux_channel_kind(bayeux, alphabet) == BayeuxChannelKind::kBroadcast);
      const Result<std::string> name = canonical_of_bayeux(bayeux, alphabet);
      CHECK(name && *name == text);
    }
    if (const Result<std::string> name = canonical_of_bayeux(text, alphabet)) {
      CHECK(check_channel_name(*name) && bayeux_of_canonical(*name, alphabet) == text);
    }
    // A pattern and a name, apart by a line end.
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view pattern = text.substr(0, end), channel = text.substr(std::min(end + 1, text.size()));
    const Result<Selector> selector = bayeux_selector(pattern, alphabet);
    CHECK(!selector || bayeux_channel_kind(pattern, alphabet));
    const Result<std::string> name = canonical_of_bayeux(channel, alphabet);
    const bool fits = bayeux_pattern_fits(pattern, channel);
    if (selector && name) CHECK(selector->matches(*name) == fits);
  }
  return 0;
}
