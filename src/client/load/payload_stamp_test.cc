#include "client/load/payload_stamp.h"

#include <gtest/gtest.h>

#include <vector>

namespace carillon {
namespace {

TEST(PayloadStamp, IsFoundWhereverItStands) {
  StampFinder finder;
  const std::string payload = stamped_payload({.sent_ns = 0x0123456789abcdef, .sequence = 0xfedcba98}, 128);
  EXPECT_EQ(payload.size(), 128u);
  for (const std::string_view before : {"", R"({"type":"event","data":")", "x", R"({"type":"event","data":")"}) {
    const auto found = finder.find(std::string(before) + payload);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->sent_ns, 0x0123456789abcdefu);
    EXPECT_EQ(found->sequence, 0xfedcba98u);
  }
}

TEST(PayloadStamp, TellsOneFromTheNext) {
  StampFinder finder;
  for (std::uint32_t sequence = 0; sequence < 300; ++sequence) {
    const auto found = finder.find(stamped_payload({.sent_ns = 7, .sequence = sequence}, PayloadStamp::kSize));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->sequence, sequence);
  }
}

TEST(PayloadStamp, IsFoundEachTimeInAnArray) {
  StampFinder finder;
  std::string text = "[";
  for (std::uint32_t sequence = 0; sequence < 20; ++sequence) {
    text +=
        R"({"channel":"/bench/00001","data":")" + stamped_payload({.sent_ns = 7, .sequence = sequence}, 40 + sequence) + "\"},";
  }
  text += R"({"channel":"/meta/connect","successful":true}])";
  for (int round = 0; round < 2; ++round) {
    std::vector<std::uint32_t> seen;
    finder.each(text, [&](const PayloadStamp& stamp) { seen.push_back(stamp.sequence); });
    ASSERT_EQ(seen.size(), 20u);
    for (std::uint32_t i = 0; i < 20; ++i) EXPECT_EQ(seen[i], i);
  }
}

TEST(PayloadStamp, GoesOnBehindADamagedOne) {
  StampFinder finder;
  std::string damaged = stamped_payload({.sent_ns = 1, .sequence = 1}, PayloadStamp::kSize);
  damaged[20] = 'z';
  int seen = 0;
  finder.each(damaged + stamped_payload({.sent_ns = 1, .sequence = 2}, PayloadStamp::kSize) + damaged.substr(0, 20),
              [&](const PayloadStamp& stamp) { seen = 10 * seen + static_cast<int>(stamp.sequence); });
  EXPECT_EQ(seen, 2);
}

TEST(PayloadStamp, IsNotSeenWhereThereIsNone) {
  StampFinder finder;
  const std::string payload = stamped_payload({.sent_ns = 1, .sequence = 1}, PayloadStamp::kSize);
  EXPECT_FALSE(finder.find(""));
  EXPECT_FALSE(finder.find(R"({"type":"subscribed","channel":"bench:00001"})"));
  EXPECT_FALSE(finder.find(payload.substr(0, payload.size() - 1)));
  std::string damaged = payload;
  damaged[20] = 'z';
  EXPECT_FALSE(finder.find(damaged));
  EXPECT_TRUE(finder.find(payload));
}

}  // namespace
}  // namespace carillon
