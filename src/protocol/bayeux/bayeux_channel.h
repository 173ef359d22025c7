// Bayeux' channel names, and what they are to the hub. No state; any thread.
//
// The mapping is one to one: `/repo/alice/app` is `repo:alice/app`, `/lobby` is `lobby`. What a Bayeux name may not hold is
// written `~` and two lower-case hexadecimal digits for each byte: any `:` but the one that ends the first segment (`~3a`), `/`
// in a name of one segment or before that `:` (`~2f`), other bytes outside the alphabet, and a `~` that would read as such an
// escape (`~7e`). A segment that is empty is `~`, one that is `~` is `~7e`. A first segment `meta` or `service` is `~6deta`,
// `~73ervice`: those trees are Bayeux' own. A `:` that begins a name ends no segment, as nothing lies above it: `:a/b` is
// `/~3aa/b`. A name with an escape where none is needed is no name: so no two names are one channel, and a pattern fits a
// broadcast's name just when its selector matches the channel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "hub/selector.h"

namespace carillon {

enum class BayeuxChannelKind : std::uint8_t {
  kMeta,       // `/meta/…`: of the protocol.
  kService,    // `/service/…`: from one client to the server and back.
  kBroadcast,  // A channel like any other.
  kWildcard,   // `/a/*`, `/a/**`, `/*`, `/**`.
};

enum class BayeuxAlphabet : std::uint8_t {
  kCometd,  // Letters, digits, `-_!~()$@`, and what CometD's server lets through besides: blank, `#`, `+`, `.`, `{`, `}`.
  kStrict,  // The specification's only: faye's clients refuse the rest, so they write `.` as `~2e`.
};

// What a text names. Errors, kInvalid: it does not begin with `/`, is `/`, has an empty segment or ends in `/`, has bytes
// outside the alphabet, or a `*` that is not a whole last segment `*` or `**`. `/meta` and `/service` themselves are
// broadcasts' names that no channel has: kInvalid. Meta and service channels are checked like others, wildcards below them are
// kMeta and kService.
Result<BayeuxChannelKind> bayeux_channel_kind(std::string_view text, BayeuxAlphabet alphabet);

// The canonical name of a broadcast channel. Errors: kInvalid, also where an escape is not as above or the name is none of the
// hub's (channel_name.h).
Result<std::string> canonical_of_bayeux(std::string_view text, BayeuxAlphabet alphabet);

// The name as Bayeux clients see it; of any canonical name. Stands in a JSON string as it is.
void append_bayeux_channel(std::string& out, std::string_view canonical, BayeuxAlphabet alphabet);
std::string bayeux_of_canonical(std::string_view canonical, BayeuxAlphabet alphabet);

// What a subscription to a broadcast channel or a wildcard hears. `/*` is every name of one segment, `/**` every name.
Result<Selector> bayeux_selector(std::string_view text, BayeuxAlphabet alphabet);

// Whether a Bayeux pattern (a name, or one that ends in `/*` or `/**`) fits the name; both as written on the wire. For service
// channels and rules: `/**` fits service channels too.
bool bayeux_pattern_fits(std::string_view pattern, std::string_view channel);

}  // namespace carillon
