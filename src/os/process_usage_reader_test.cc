#include "os/process_usage_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace carillon {
namespace {

TEST(ProcessUsageReader, SeesWhatTheProcessDoes) {
  const ProcessUsage before = read_process_usage();
  EXPECT_GT(before.max_fds, before.open_fds);
  EXPECT_GE(before.open_fds, 1u);
  EXPECT_GT(before.virtual_bytes, before.resident_bytes);

  std::vector<int> files;
  for (int i = 0; i < 5; ++i) files.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<char> touched(64u << 20, 'x');
  const ProcessUsage after = read_process_usage();
  EXPECT_EQ(after.open_fds, before.open_fds + 5);
  EXPECT_GE(after.resident_bytes, before.resident_bytes + (48u << 20));
  EXPECT_GT(after.cpu_seconds, before.cpu_seconds);
  EXPECT_EQ(touched.back(), 'x');
  for (const int file : files) close(file);
}

}  // namespace
}  // namespace carillon
