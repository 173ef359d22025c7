#include "engine/log/needed_logs.h"

#include <gtest/gtest.h>

#include "base/simulated_disk.h"
#include "engine/log/record_database.h"

namespace carillon {
namespace {

class NeededLogsTest : public ::testing::Test {
 protected:
  NeededLogsTest() { EXPECT_TRUE(records_.open().ok()); }

  std::uint64_t first_needed() {
    const auto needed = read_needed_logs(disk_, "/db");
    EXPECT_TRUE(needed) << needed.error().text;
    return needed ? needed->first : 0;
  }
  // The first that RocksDB itself would not remove.
  std::uint64_t first_kept() {
    rocksdb::VectorLogPtr logs;
    EXPECT_TRUE(records_.database().GetSortedWalFiles(logs).ok());
    return logs.empty() ? 0 : logs.front()->LogNumber();
  }
  void write_some(int from, int to) {
    for (int number = from; number < to; ++number) ASSERT_TRUE(records_.write(number, false).ok());
  }

  SimulatedDisk disk_{1};
  RecordDatabase records_{disk_, "/db"};
};

TEST_F(NeededLogsTest, WithoutAManifestAllAreNeeded) {
  EXPECT_EQ(read_needed_logs(disk_, "/")->first, 0u);
  EXPECT_EQ(read_needed_logs(disk_, "/none")->manifest, "");
}

TEST_F(NeededLogsTest, ALogIsNeededUntilItsRecordsLieInTables) {
  write_some(0, 10);
  const std::uint64_t before = first_kept();
  EXPECT_LE(first_needed(), before);
  ASSERT_TRUE(records_.database().Flush({}).ok());
  write_some(10, 20);
  EXPECT_GT(first_kept(), before);
  EXPECT_EQ(first_needed(), first_kept());
}

TEST_F(NeededLogsTest, NoTableHasALaterRecordThanTheLastSequenceNumber) {
  EXPECT_EQ(read_needed_logs(disk_, "/db")->last_sequence, 0u);
  write_some(0, 10);
  ASSERT_TRUE(records_.database().Flush({}).ok());
  write_some(10, 20);
  EXPECT_GE(read_needed_logs(disk_, "/db")->last_sequence, 10u);
  EXPECT_LE(read_needed_logs(disk_, "/db")->last_sequence, 20u);
}

TEST_F(NeededLogsTest, ManyTablesAndCompactionsAreUnderstood) {
  write_some(0, 3000);
  ASSERT_TRUE(records_.database().Flush({}).ok());
  ASSERT_TRUE(records_.database().CompactRange({}, nullptr, nullptr).ok());
  ASSERT_TRUE(records_.database().DeleteRange({}, records_.database().DefaultColumnFamily(), "a", "z").ok());
  ASSERT_TRUE(records_.database().Flush({}).ok());
  records_.close();
  ASSERT_TRUE(records_.open().ok());
  write_some(3000, 3010);
  ASSERT_TRUE(records_.database().Flush({}).ok());
  write_some(3010, 3020);
  EXPECT_EQ(first_needed(), first_kept());
}

TEST_F(NeededLogsTest, ALogIsNeededWhileAnyColumnFamilyHasRecordsInIt) {
  rocksdb::ColumnFamilyHandle* family = nullptr;
  ASSERT_TRUE(records_.database().CreateColumnFamily({}, "other", &family).ok());
  ASSERT_TRUE(records_.database().Put({}, family, "key", "value").ok());
  write_some(0, 10);
  const std::uint64_t before = first_kept();
  ASSERT_TRUE(records_.database().Flush({}).ok());
  write_some(10, 20);
  EXPECT_EQ(first_kept(), before);
  EXPECT_EQ(first_needed(), before);
  ASSERT_TRUE(records_.database().Flush({}, family).ok());
  EXPECT_GT(first_kept(), before);
  EXPECT_EQ(first_needed(), first_kept());
  ASSERT_TRUE(records_.database().DropColumnFamily(family).ok());
  EXPECT_EQ(first_needed(), first_kept());
  ASSERT_TRUE(records_.database().DestroyColumnFamilyHandle(family).ok());
}

TEST_F(NeededLogsTest, AManifestThatIsNotUnderstoodMakesAllNeeded) {
  write_some(0, 10);
  ASSERT_TRUE(records_.database().Flush({}).ok());
  EXPECT_GT(first_needed(), 0u);
  const auto current = disk_.create("/db/CURRENT");
  ASSERT_TRUE((*current)->append("MANIFEST-of-nobody\n"));
  EXPECT_EQ(first_needed(), 0u);
}

}  // namespace
}  // namespace carillon
