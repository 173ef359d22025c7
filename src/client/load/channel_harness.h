// run_channel_harness: takes the channel runtime through the life of one topic, and reports what came out and what it cost.
//
// First once for what came out: every client joins, the first one broadcasts, everybody leaves, and the outbox is flushed after
// each event. Nothing of that depends on the machine. Then for what it costs of a core's time, in rounds of the same with
// rejoins and pushes: at that many clients, and at ten and a hundred times as many as long as these are no more than
// kGrowthMax.
//
// No server and no socket is involved. One thread, the caller's; some seconds.
#pragma once

#include <cstdint>
#include <string>

#include "carillon/result.h"
#include "client/load/channel_harness_report.h"

namespace carillon {

struct ChannelHarnessOptions {
  enum class Adapter { kSingleNode, kClusterReady };

  static constexpr std::uint32_t kClientsMax = 1'000'000;
  static constexpr std::uint64_t kDeliveriesMax = 100'000'000;  // Clients times broadcasts.
  static constexpr std::uint64_t kGrowthMax = 200'000;

  Adapter adapter = Adapter::kSingleNode;
  std::string topic = "bench";
  std::uint32_t clients = 1000;
  std::uint32_t broadcasts = 100;
  std::uint64_t joins_timed = 300'000;  // At each number of members, in 30 rounds at most.
};

// Refused with kInvalid: no clients, or more than the limits above.
Result<ChannelHarnessReport> run_channel_harness(const ChannelHarnessOptions& options);

}  // namespace carillon
