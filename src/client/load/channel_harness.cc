#include "client/load/channel_harness.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>

#include "carillon/channel_runtime.h"

namespace carillon {
namespace {

using namespace channel_event;

using ClientNames = std::vector<std::string>;

ClientNames client_names(std::uint64_t count) {
  ClientNames names;
  names.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) names.push_back(fmt::format("client-{}", i));
  return names;
}

ChannelRuntime new_runtime(const ChannelHarnessOptions& options) {
  return options.adapter == ChannelHarnessOptions::Adapter::kSingleNode ? ChannelRuntime::single_node()
                                                                        : ChannelRuntime::cluster_ready("bench-1", "bench");
}

// Reads outbounds as a sender would, one message to one client after the other.
class Observer {
 public:
  void read(const std::vector<ChannelOutbound>& outbox) {
    std::uint64_t handed_over = 0;
    for (const ChannelOutbound& outbound : outbox) {
      digest(channel_outbound_text(outbound));
      digest("\n");
      const auto* const broadcast = std::get_if<channel_outbound::BroadcastMessage>(&outbound);
      if (broadcast == nullptr) continue;  // Only the reply comes with it, and after it.
      broadcast->recipients.for_each([&](const std::string&) { count(++handed_over); });
    }
  }

  void write(ChannelHarnessReport& report) const {
    report.deliveries = deliveries_;
    report.p50_latency_units = percentile_of_counts(latencies_, 0.50);
    report.p95_latency_units = percentile_of_counts(latencies_, 0.95);
    report.outbox_digest = digest_;
  }

 private:
  void digest(std::string_view text) {
    for (const char c : text) digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  void count(std::uint64_t latency) {
    if (latencies_.size() <= latency) latencies_.resize(latency + 1);
    ++latencies_[latency];
    ++deliveries_;
  }

  std::vector<std::uint64_t> latencies_;  // How many deliveries had which.
  std::uint64_t deliveries_ = 0;
  std::uint64_t digest_ = 0xcbf29ce484222325u;
};

void observe(const ChannelHarnessOptions& options, ChannelHarnessReport& report) {
  ChannelRuntime runtime = new_runtime(options);
  Observer observer;
  const auto handle = [&](ChannelEvent event) {
    runtime.handle(std::move(event));
    observer.read(runtime.flush());
  };
  const ClientNames clients = client_names(options.clients);
  std::int64_t now_ms = 0;
  for (const std::string& client : clients) handle(Join{client, options.topic, client, ++now_ms});
  for (std::uint32_t i = 0; i < options.broadcasts; ++i) {
    handle(Broadcast{clients.front(), options.topic, fmt::format("message {}", i)});
  }
  for (const std::string& client : clients) handle(Leave{client, options.topic});
  report.adapter = runtime.adapter_label();
  observer.write(report);
}

// Of this thread: a round of many members is longer than others leave a core alone, so real time would not compare.
double cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// One life of a topic with so many members, timed part by part.
class TimedRound {
 public:
  TimedRound(const ChannelHarnessOptions& options, const ClientNames& clients)
      : options_(options), clients_(clients), runtime_(new_runtime(options)) {}

  ChannelCosts run() {
    ChannelCosts costs{.members = clients_.size()};
    costs.join = each([&](const std::string& client) { handle(Join{client, options_.topic, client, 1}); });
    costs.rejoin = each([&](const std::string& client) { handle(Rejoin{client, options_.topic, client, 2}); });
    costs.push = each([&](const std::string& client) { handle(Push{client, options_.topic, "event", "payload"}); });
    measure_broadcasts(costs);
    costs.leave = each([&](const std::string& client) { handle(Leave{client, options_.topic}); });
    costs.held_broadcast = measure_held();
    return costs;
  }

 private:
  void handle(ChannelEvent event) {
    runtime_.handle(std::move(event));
    runtime_.flush();
  }

  template <class Act>
  double each(Act act) {
    const double begin = cpu_ns();
    for (const std::string& client : clients_) act(client);
    return (cpu_ns() - begin) / static_cast<double>(clients_.size());
  }

  void measure_broadcasts(ChannelCosts& costs) {
    if (options_.broadcasts == 0) return;
    double begin = cpu_ns();
    for (std::uint32_t i = 0; i < options_.broadcasts; ++i) {
      runtime_.handle(Broadcast{clients_.front(), options_.topic, "payload"});
    }
    costs.broadcast = (cpu_ns() - begin) / options_.broadcasts;
    begin = cpu_ns();
    std::uint64_t deliveries = 0, bytes = 0;
    for (const ChannelOutbound& outbound : runtime_.flush()) {
      const auto* const broadcast = std::get_if<channel_outbound::BroadcastMessage>(&outbound);
      if (broadcast == nullptr) continue;
      deliveries += broadcast->recipients.size();
      broadcast->recipients.for_each([&bytes](const std::string& client) { bytes += client.size(); });
    }
    read_bytes = bytes;  // So the walk cannot be left out.
    costs.delivery = (cpu_ns() - begin) / static_cast<double>(deliveries);
  }

  // Everybody comes again, and each says so; nobody flushes.
  double measure_held() {
    const double cost = each([&](const std::string& client) {
      runtime_.handle(Join{client, options_.topic, client, 3});
      runtime_.handle(Broadcast{client, options_.topic, "payload"});
    });
    runtime_.flush();
    return cost;
  }

  const ChannelHarnessOptions& options_;
  const ClientNames& clients_;
  ChannelRuntime runtime_;
  volatile std::uint64_t read_bytes = 0;
};

void keep_fastest(ChannelCosts& best, const ChannelCosts& round) {
  for (double ChannelCosts::*cost : {&ChannelCosts::join, &ChannelCosts::rejoin, &ChannelCosts::push, &ChannelCosts::broadcast,
                                     &ChannelCosts::delivery, &ChannelCosts::held_broadcast, &ChannelCosts::leave}) {
    best.*cost = std::min(best.*cost, round.*cost);
  }
}

ChannelCosts measure(const ChannelHarnessOptions& options, std::uint64_t members) {
  const std::uint64_t rounds = std::clamp<std::uint64_t>(options.joins_timed / members, 1, 30);
  const ClientNames clients = client_names(members);
  ChannelCosts best = TimedRound(options, clients).run();
  for (std::uint64_t round = 1; round < rounds; ++round) keep_fastest(best, TimedRound(options, clients).run());
  return best;
}

// What the costs of the first row make of the broadcasts.
std::uint64_t throughput(const ChannelHarnessReport& report) {
  if (report.deliveries == 0) return 0;
  const ChannelCosts& costs = report.costs.front();
  const double ns =
      costs.broadcast * static_cast<double>(report.broadcasts) + costs.delivery * static_cast<double>(report.deliveries);
  return static_cast<std::uint64_t>(static_cast<double>(report.deliveries) * 1e9 / ns);
}

}  // namespace

Result<ChannelHarnessReport> run_channel_harness(const ChannelHarnessOptions& options) {
  if (options.clients == 0) return Error{ErrorKind::kInvalid, "there must be a client to broadcast"};
  if (options.clients > ChannelHarnessOptions::kClientsMax) {
    return Error{ErrorKind::kInvalid,
                 fmt::format("{} clients are too many: {} at most", options.clients, ChannelHarnessOptions::kClientsMax)};
  }
  if (std::uint64_t{options.clients} * options.broadcasts > ChannelHarnessOptions::kDeliveriesMax) {
    return Error{ErrorKind::kInvalid, fmt::format("{} broadcasts to {} clients are too many deliveries: {} at most",
                                                  options.broadcasts, options.clients, ChannelHarnessOptions::kDeliveriesMax)};
  }
  ChannelHarnessReport report;
  report.topic = options.topic;
  report.clients = options.clients;
  report.broadcasts = options.broadcasts;
  observe(options, report);
  std::uint64_t members = options.clients;
  report.costs.push_back(measure(options, members));
  for (members *= 10;
       members <= std::min<std::uint64_t>(ChannelHarnessOptions::kGrowthMax, options.clients * std::uint64_t{100});
       members *= 10) {
    report.costs.push_back(measure(options, members));
  }
  report.throughput_messages_per_second = throughput(report);
  return report;
}

}  // namespace carillon
