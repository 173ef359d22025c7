#include "client/load/channel_harness_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numeric>

#include "wire/json/json_writer.h"

namespace carillon {
namespace {

struct CostName {
  const char* key;
  const char* shown;
  double ChannelCosts::*value;
};

constexpr std::array<CostName, 7> kCostNames = {{
    {"join", "join", &ChannelCosts::join},
    {"rejoin", "rejoin", &ChannelCosts::rejoin},
    {"push", "push", &ChannelCosts::push},
    {"broadcast", "broadcast", &ChannelCosts::broadcast},
    {"delivery", "delivery of a broadcast", &ChannelCosts::delivery},
    {"held_broadcast", "join, broadcast, unflushed", &ChannelCosts::held_broadcast},
    {"leave", "leave", &ChannelCosts::leave},
}};

template <class Value>
void add_line(std::string& out, const char* name, const Value& value) {
  fmt::format_to(std::back_inserter(out), "  {:<28}{}\n", name, value);
}

void add_costs(std::string& out, const std::vector<ChannelCosts>& costs) {
  fmt::format_to(std::back_inserter(out), "\n  {:<28}", "nanoseconds, at members");
  for (const ChannelCosts& row : costs) fmt::format_to(std::back_inserter(out), "{:>10}", row.members);
  out += '\n';
  for (const CostName& name : kCostNames) {
    fmt::format_to(std::back_inserter(out), "  {:<28}", name.shown);
    for (const ChannelCosts& row : costs) fmt::format_to(std::back_inserter(out), "{:>10.1f}", row.*name.value);
    out += '\n';
  }
}

}  // namespace

std::string channel_harness_signature(const ChannelHarnessReport& report) {
  std::string topic;
  append_json_string(topic, report.topic);
  return fmt::format("channels adapter={} topic={} clients={} broadcasts={} deliveries={} p50={} p95={} outbox={:016x}",
                     report.adapter, topic, report.clients, report.broadcasts, report.deliveries, report.p50_latency_units,
                     report.p95_latency_units, report.outbox_digest);
}

std::string channel_harness_text(const ChannelHarnessReport& report) {
  std::string out;
  add_line(out, "adapter", report.adapter);
  add_line(out, "topic", report.topic);
  add_line(out, "clients", report.clients);
  add_line(out, "broadcasts", report.broadcasts);
  add_line(out, "deliveries", report.deliveries);
  add_line(out, "latency p50, p95", fmt::format("{}, {} units", report.p50_latency_units, report.p95_latency_units));
  add_line(out, "throughput", fmt::format("{} messages a second", report.throughput_messages_per_second));
  add_costs(out, report.costs);
  return out + "\n  " + channel_harness_signature(report) + '\n';
}

std::string channel_harness_json(const ChannelHarnessReport& report) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("adapter").string(report.adapter).key("topic").string(report.topic);
  json.key("clients").number(report.clients).key("broadcasts").number(report.broadcasts);
  json.key("deliveries").number(report.deliveries);
  json.key("p50_latency_units").number(report.p50_latency_units).key("p95_latency_units").number(report.p95_latency_units);
  json.key("throughput_messages_per_second").number(report.throughput_messages_per_second);
  json.key("signature").string(channel_harness_signature(report));
  json.key("costs_ns").begin_array();
  for (const ChannelCosts& row : report.costs) {
    json.begin_object().key("members").number(row.members);
    for (const CostName& name : kCostNames) json.key(name.key).number(row.*name.value);
    json.end_object();
  }
  json.end_array().end_object();
  return out;
}

std::uint64_t percentile_of_counts(const std::vector<std::uint64_t>& counts, double share) {
  const std::uint64_t total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total))));
  std::uint64_t passed = 0;
  for (std::size_t value = 0; value < counts.size(); ++value) {
    passed += counts[value];
    if (passed >= rank) return value;
  }
  return 0;
}

}  // namespace carillon
