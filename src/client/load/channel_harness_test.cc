#include "client/load/channel_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::HasSubstr;
using testing::Not;

ChannelHarnessReport run(ChannelHarnessOptions options) {
  options.joins_timed = 1;  // What it costs is not asked here: one round each.
  auto report = run_channel_harness(options);
  EXPECT_TRUE(report) << report.error().text;
  return *std::move(report);
}

TEST(ChannelHarness, CountsWhatWasDelivered) {
  const ChannelHarnessReport report = run({.topic = "room", .clients = 20, .broadcasts = 3});
  EXPECT_EQ(report.adapter, "single_node");
  EXPECT_EQ(report.topic, "room");
  EXPECT_EQ(report.clients, 20u);
  EXPECT_EQ(report.broadcasts, 3u);
  EXPECT_EQ(report.deliveries, 60u);
  EXPECT_EQ(report.p50_latency_units, 10u);
  EXPECT_EQ(report.p95_latency_units, 19u);
  EXPECT_GT(report.throughput_messages_per_second, 0u);
}

TEST(ChannelHarness, TwoRunsHaveOneSignature) {
  const ChannelHarnessOptions options{.clients = 10, .broadcasts = 2};
  const std::string signature = channel_harness_signature(run(options));
  EXPECT_EQ(channel_harness_signature(run(options)), signature);
  EXPECT_THAT(signature, Not(HasSubstr("\n")));
}

// FNV-1a of the ten lines that two clients and one broadcast make: were it another one on another machine, or after a
// change, somebody's comparison would break.
TEST(ChannelHarness, TheSignatureIsTheSameEverywhere) {
  EXPECT_EQ(
      channel_harness_signature(run({.clients = 2, .broadcasts = 1})),
      "channels adapter=single_node topic=\"bench\" clients=2 broadcasts=1 deliveries=2 p50=1 p95=2 outbox=0f435dc4c23fd6aa");
}

TEST(ChannelHarness, AnotherOutboxIsAnotherSignature) {
  const auto digest = [](ChannelHarnessOptions options) { return run(options).outbox_digest; };
  const std::uint64_t one = digest({.clients = 3, .broadcasts = 1});
  EXPECT_NE(digest({.clients = 3, .broadcasts = 2}), one);
  EXPECT_NE(digest({.clients = 4, .broadcasts = 1}), one);
  EXPECT_NE(digest({.topic = "other", .clients = 3, .broadcasts = 1}), one);
  EXPECT_NE(digest({.adapter = ChannelHarnessOptions::Adapter::kClusterReady, .clients = 3, .broadcasts = 1}), one);
}

TEST(ChannelHarness, MeasuresAtGrowingNumbersOfMembers) {
  const ChannelHarnessReport report = run({.clients = 7, .broadcasts = 1});
  ASSERT_EQ(report.costs.size(), 3u);
  EXPECT_EQ(report.costs[0].members, 7u);
  EXPECT_EQ(report.costs[2].members, 700u);
  for (const ChannelCosts& costs : report.costs) {
    for (const double cost :
         {costs.join, costs.rejoin, costs.push, costs.broadcast, costs.delivery, costs.held_broadcast, costs.leave}) {
      EXPECT_GT(cost, 0);
    }
  }
}

TEST(ChannelHarness, WithoutBroadcastsNothingIsDelivered) {
  const ChannelHarnessReport report = run({.clients = 2, .broadcasts = 0});
  EXPECT_EQ(report.deliveries, 0u);
  EXPECT_EQ(report.p95_latency_units, 0u);
  EXPECT_EQ(report.throughput_messages_per_second, 0u);
}

TEST(ChannelHarness, RefusesWhatItCannotDo) {
  for (const ChannelHarnessOptions& options :
       {ChannelHarnessOptions{.clients = 0}, ChannelHarnessOptions{.clients = 1'000'001, .broadcasts = 1},
        ChannelHarnessOptions{.clients = 1'000'000, .broadcasts = 101}}) {
    const auto report = run_channel_harness(options);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, ErrorKind::kInvalid);
  }
}

}  // namespace
}  // namespace carillon
