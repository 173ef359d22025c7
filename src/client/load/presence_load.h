// run_presence_load: lets crowds of several sizes become present in a channel at once, and measures what telling each other
// costs.
//
// For each size: that many connections are opened, then all of them subscribe with presence as fast as may be. It has settled
// when everybody is subscribed and nothing has come for a while. Then the HTTP API lists the channel, and the crowd leaves. One
// thread, the caller's.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "carillon/result.h"
#include "client/load/load_dialect.h"

namespace carillon {

struct PresenceLoadOptions {
  std::string url = "ws://127.0.0.1:8080/ws";
  LoadDialect dialect = LoadDialect::kNative;  // kNative or kPhoenix.
  std::vector<std::uint32_t> members = {1000, 2000, 5000, 10'000};
  std::string channel = "bench:presence";   // The size is appended: no crowd meets the one before.
  std::string bearer;                       // For the list over HTTP.
  double quiet_s = 2.5;                     // Nothing came for so long: it has settled. Crowds are counted once a second.
  double patience_s = 60;                   // No size may take longer; what it has told until then is reported as unsettled.
  int server_pid = 0;                       // 0: not known; the server's CPU time is not measured then.
  const std::atomic<bool>* stop = nullptr;  // When set and true, ends as soon as may be, with an error.
};

// One size.
struct PresenceLoadRow {
  std::uint32_t members = 0;
  std::uint64_t present = 0;  // As the server counts them, once settled.
  bool settled = false;
  double settle_s = 0;  // From the first subscribe to the last message.
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // Payloads of all messages to all members.
  double server_cpu_s = 0;  // 0 when not known.
  double list_ms = 0;       // GET /api/presence, the answer read whole.
  std::uint64_t list_bytes = 0;
};

// Refused with kInvalid: options that make no sense. With kUnavailable: not everybody could connect or subscribe, or the list
// was refused, or it was stopped.
Result<std::vector<PresenceLoadRow>> run_presence_load(const PresenceLoadOptions& options);

// For people: a table. For programs: one JSON array on one line, with the fields' names as they stand above.
std::string presence_load_text(const std::vector<PresenceLoadRow>& rows);
std::string presence_load_json(const std::vector<PresenceLoadRow>& rows);

}  // namespace carillon
