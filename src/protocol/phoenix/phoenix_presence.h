// Presence as Phoenix clients know it: the payloads of presence_state and presence_diff. Any thread.
//
//   {"<key>":{"metas":[{"phx_ref":"…","phx_ref_prev":"…","online_at":<seconds>, …members of the meta}]}}
//
// phx_ref and phx_ref_prev are ours: a meta's own members of these names are left out, and phx_ref_prev is absent without a
// previous ref. A meta's own online_at stands in the place of ours. Of members of one name the last counts, as for JSON.parse.
// A meta that is no JSON object adds nothing. No name occurs twice, given that the entries' keys differ, as the channel
// runtime's do.
#pragma once

#include <span>
#include <string>

#include "carillon/channel_runtime.h"

namespace carillon {

std::string phoenix_presence_state(std::span<const PresenceEntry> entries);
// {"joins":…,"leaves":…}
std::string phoenix_presence_diff(const PresenceChanges& changes);

}  // namespace carillon
