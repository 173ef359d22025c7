// run_load: loads a server with subscribers, by WebSocket or polling, and publishers, and measures what it delivers and what
// that costs it.
//
// One thread, the caller's; it returns when everything is measured and every connection is closed again. Subscriber i hears
// channel i modulo `topics`, and publishes go to the channels in turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "carillon/result.h"
#include "client/load/load_dialect.h"
#include "client/load/load_report.h"

namespace carillon {

struct LoadOptions {
  enum class Measure {
    kDeliveries,  // Publish and time the deliveries.
    kIdle,        // Open subscribed connections, and hold them for `duration_s`.
    kHandshakes,  // Open `subscribers` connections, without subscribing: as many at once as the file limit allows, then anew.
  };

  std::string url = "ws://127.0.0.1:8080/ws";
  LoadDialect dialect = LoadDialect::kNative;
  Measure measure = Measure::kDeliveries;

  std::uint32_t subscribers = 1000;  // In all, not per channel.
  std::uint32_t publishers = 1;
  std::uint32_t topics = 1;
  std::uint32_t bystanders = 0;      // Further connections, subscribed to a channel on which nobody publishes.
  std::uint32_t payload_size = 128;  // Bytes; at least PayloadStamp::kSize.

  std::uint32_t window = 16;  // Closed loop: publishes in flight, from sending until everybody heard.
  double rate = 0;            // Open loop, when not 0: publishes a second, whether heard or not.

  double warmup_s = 1;
  double duration_s = 5;
  double drain_s = 3;      // Nothing came for so long at the end: what is still missing is lost.
  double patience_s = 10;  // No connection opened for so long: the rest counts as refused.

  int server_pid = 0;  // 0: not known; the server's CPU time and memory are not measured then.
  // Ask the kernel over and over instead of sleeping until it has something: the server then does not pay for waking us.
  bool spin = true;
  // When set and true, ends as soon as may be, with an error.
  const std::atomic<bool>* stop = nullptr;
};

// Refused with kInvalid: options that make no sense. With kUnavailable: nobody could be connected, or it was stopped.
Result<LoadReport> run_load(const LoadOptions& options);

}  // namespace carillon
