// CometD's timesync extension: the server's clock for clients, in the ext of handshakes and connects. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/bayeux/bayeux_codec.h"

namespace carillon {

// What a client asked, kept while its connect is held.
struct BayeuxTimesync {
  std::int64_t client_ms = 0;       // tc
  std::optional<std::int64_t> lag;  // l; absent: an old client.
  std::int64_t offset = 0;          // o
  std::int64_t arrived_ms = 0;      // Unix time.
};
// Of the ext's member `timesync`; nothing when it is none.
std::optional<BayeuxTimesync> read_timesync(std::string_view timesync_json, std::int64_t arrived_ms);

// {"tc":…,"ts":…,"p":…,"a":…}: what goes back. Empty: the client's clock is near enough.
std::string timesync_reply(const BayeuxTimesync& asked, std::int64_t now_ms);

}  // namespace carillon
