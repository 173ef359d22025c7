#include "client/load/process_cost.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace carillon {
namespace {

TEST(ProcessUsage, FindsTheTimesBehindAnyName) {
  EXPECT_EQ(parse_process_cpu_ticks("42 (a) 1 (b) c) S 1 2 3 4 5 6 7 8 9 10 250 130 0 0 20 0\n"), 380u);
  EXPECT_FALSE(parse_process_cpu_ticks("42 (short) S 1 2 3"));
  EXPECT_FALSE(parse_process_cpu_ticks(""));
}

TEST(ProcessUsage, FindsALineByItsKey) {
  constexpr std::string_view kText = "VmRSSX:\t1 kB\nVmRSS:\t    3128 kB\nRss:  77 kB";
  EXPECT_EQ(parse_kilobytes(kText, "VmRSS:"), 3128u);
  EXPECT_EQ(parse_kilobytes(kText, "Rss:"), 77u);
  EXPECT_FALSE(parse_kilobytes(kText, "Pss:"));
}

TEST(ProcessUsage, CountsAllButIdlingAsBusy) {
  EXPECT_EQ(parse_machine_busy_ticks("cpu  100 20 30 4000 500 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n"), 171u);
  EXPECT_FALSE(parse_machine_busy_ticks("intr 1 2 3"));
}

TEST(ProcessUsage, KnowsItsOwnProcess) {
  ASSERT_TRUE(process_rss_bytes(getpid()));
  EXPECT_GT(*process_rss_bytes(getpid()), 100'000u);
  EXPECT_TRUE(process_cpu_seconds(getpid()));
  EXPECT_GT(machine_busy_seconds(), 0);
}

TEST(ProcessUsage, SaysWhenThereIsNoSuchProcess) {
  EXPECT_FALSE(process_rss_bytes(0));
  EXPECT_FALSE(process_cpu_seconds(0));
}

}  // namespace
}  // namespace carillon
