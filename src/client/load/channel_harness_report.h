// ChannelHarnessReport: what the channel runtime did and what it cost, and the three ways of writing it down.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace carillon {

// Nanoseconds each, in a topic of so many members. The fastest of several rounds: what disturbed the others is not the
// runtime's.
struct ChannelCosts {
  std::uint64_t members = 0;
  double join = 0;
  double rejoin = 0;
  double push = 0;
  double broadcast = 0;       // Until it waits in the outbox.
  double delivery = 0;        // From there, for each recipient.
  double held_broadcast = 0;  // A join and a broadcast, in turn, while nobody flushes.
  double leave = 0;
};

struct ChannelHarnessReport {
  std::string adapter;
  std::string topic;
  std::uint64_t clients = 0;
  std::uint64_t broadcasts = 0;
  std::uint64_t deliveries = 0;
  // A unit is one message handed to one client; a delivery's latency is how many were handed over from its broadcast on until
  // it was its own turn, itself included. So they tell how deep the fan-out is, and nothing of time.
  std::uint64_t p50_latency_units = 0;
  std::uint64_t p95_latency_units = 0;
  // Of a core's time: broadcasts handled, flushed and walked; 0 when nothing was delivered.
  std::uint64_t throughput_messages_per_second = 0;

  std::uint64_t outbox_digest = 0;  // FNV-1a of the texts of all outbounds, a line each.
  std::vector<ChannelCosts> costs;  // The first row is of `clients` members, the others of more.
};

// One line of all that does not depend on the machine: the same of every run with the same options.
std::string channel_harness_signature(const ChannelHarnessReport& report);

// For people: the figures, the signature, a table of the costs.
std::string channel_harness_text(const ChannelHarnessReport& report);

// For programs: one JSON object on one line, with the fields' names as they stand above, and the signature.
std::string channel_harness_json(const ChannelHarnessReport& report);

// The element of rank ceil(share * count), counted from 1 and at least 1, of values of which `counts[value]` are given; 0 when
// there are none. share in [0, 1].
std::uint64_t percentile_of_counts(const std::vector<std::uint64_t>& counts, double share);

}  // namespace carillon
