#include "client/load/channel_harness_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::HasSubstr;

ChannelHarnessReport sample() {
  return {.adapter = "single_node",
          .topic = "room",
          .clients = 10,
          .broadcasts = 2,
          .deliveries = 20,
          .p50_latency_units = 5,
          .p95_latency_units = 10,
          .throughput_messages_per_second = 1234,
          .outbox_digest = 0xabc,
          .costs = {{.members = 10, .join = 1.25, .leave = 2}, {.members = 100, .join = 1.5, .leave = 4}}};
}

TEST(ChannelHarnessReport, TheSignatureHoldsNothingOfTime) {
  ChannelHarnessReport report = sample();
  const std::string signature = channel_harness_signature(report);
  EXPECT_EQ(signature,
            "channels adapter=single_node topic=\"room\" clients=10 broadcasts=2 deliveries=20 p50=5 p95=10 "
            "outbox=0000000000000abc");
  report.throughput_messages_per_second = 99;
  report.costs.clear();
  EXPECT_EQ(channel_harness_signature(report), signature);
}

TEST(ChannelHarnessReport, TheSignatureIsOneLineWhateverTheTopic) {
  ChannelHarnessReport report = sample();
  report.topic = "a\n\"b\" clients=11";
  EXPECT_THAT(channel_harness_signature(report), HasSubstr(R"(topic="a\n\"b\" clients=11" clients=10)"));
}

TEST(ChannelHarnessReport, HasATableOfCosts) {
  const std::string text = channel_harness_text(sample());
  EXPECT_THAT(text, HasSubstr("  throughput                  1234 messages a second\n"));
  EXPECT_THAT(text, HasSubstr("  nanoseconds, at members             10       100\n"
                              "  join                               1.2       1.5\n"));
  EXPECT_THAT(text, HasSubstr(channel_harness_signature(sample())));
}

TEST(ChannelHarnessReport, IsJsonForPrograms) {
  const std::string json = channel_harness_json(sample());
  EXPECT_THAT(json, HasSubstr(R"({"adapter":"single_node","topic":"room","clients":10,"broadcasts":2,"deliveries":20,)"
                              R"("p50_latency_units":5,"p95_latency_units":10,"throughput_messages_per_second":1234,)"));
  EXPECT_THAT(json, HasSubstr(R"("costs_ns":[{"members":10,"join":1.25,)"));
}

TEST(ChannelHarnessReport, APercentileIsTheElementOfItsRank) {
  const std::vector<std::uint64_t> one_to_ten = {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  EXPECT_EQ(percentile_of_counts(one_to_ten, 0.5), 5u);
  EXPECT_EQ(percentile_of_counts(one_to_ten, 0.95), 10u);
  EXPECT_EQ(percentile_of_counts(one_to_ten, 0), 1u);
  EXPECT_EQ(percentile_of_counts(one_to_ten, 1), 10u);
  EXPECT_EQ(percentile_of_counts({0, 0, 0, 7}, 0.5), 3u);
  EXPECT_EQ(percentile_of_counts({}, 0.5), 0u);
}

}  // namespace
}  // namespace carillon
