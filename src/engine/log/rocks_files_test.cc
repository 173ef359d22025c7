#include "engine/log/rocks_files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>

#include "base/scratch_file.h"
#include "base/simulated_disk.h"
#include "engine/log/record_database.h"
#include "os/system_files.h"

namespace carillon {
namespace {

using ::testing::HasSubstr;

void write_some(RecordDatabase& records, int from, int to) {
  for (int number = from; number < to; ++number) {
    const rocksdb::Status written = records.write(number, number % 100 == 99);
    ASSERT_TRUE(written.ok()) << written.ToString();
  }
}

// Through all that RocksDB asks of a file system.
void live_and_come_back(Files& files, const std::string& root) {
  RecordDatabase records(files, root + "/db");
  ASSERT_TRUE(records.open().ok());
  write_some(records, 0, 2000);
  ASSERT_TRUE(records.database().Flush({}).ok());
  ASSERT_TRUE(records.database().CompactRange({}, nullptr, nullptr).ok());
  write_some(records, 2000, 2500);
  ASSERT_TRUE(records.database().SyncWAL().ok());
  EXPECT_EQ(records.count(), 2500);

  RecordDatabase second(files, root + "/db");
  EXPECT_THAT(second.open().ToString(), HasSubstr("LOCK"));

  rocksdb::Checkpoint* made = nullptr;
  ASSERT_TRUE(rocksdb::Checkpoint::Create(&records.database(), &made).ok());
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  const rocksdb::Status copied = checkpoint->CreateCheckpoint(root + "/copy");
  ASSERT_TRUE(copied.ok()) << copied.ToString();
  RecordDatabase copy(files, root + "/copy");
  ASSERT_TRUE(copy.open().ok());
  EXPECT_EQ(copy.count(), 2500);

  records.close();
  const rocksdb::Status reopened = records.open();
  ASSERT_TRUE(reopened.ok()) << reopened.ToString();
  EXPECT_EQ(records.count(), 2500);
  records.close();
  copy.close();
  EXPECT_TRUE(rocksdb::DestroyDB(root + "/copy", copy.options()).ok());
  EXPECT_EQ(files.info(root + "/copy").error().kind, ErrorKind::kNotFound);
}

TEST(RocksFiles, ADatabaseLivesOnTheMachinesDisk) {
  SystemFiles files;
  const ScratchDirectory directory;
  live_and_come_back(files, directory.path());
}

TEST(RocksFiles, ADatabaseLivesOnASimulatedDisk) {
  SimulatedDisk disk(1);
  live_and_come_back(disk, "");
}

TEST(RocksFiles, ErrorsAreWhatRocksDbExpectsOfAFileSystem) {
  SimulatedDisk disk(1);
  const auto env = make_rocks_env(disk);
  std::unique_ptr<rocksdb::SequentialFile> reader;
  std::unique_ptr<rocksdb::WritableFile> writer;
  std::vector<std::string> names;
  std::uint64_t size = 0;
  EXPECT_TRUE(env->NewSequentialFile("none", &reader, {}).IsPathNotFound());
  EXPECT_TRUE(env->GetFileSize("none", &size).IsPathNotFound());
  EXPECT_TRUE(env->FileExists("none").IsNotFound());
  EXPECT_TRUE(env->GetChildren("none", &names).IsNotFound());
  ASSERT_TRUE(env->NewWritableFile("a", &writer, {}).ok());
  EXPECT_TRUE(env->FileExists("a").ok());
  EXPECT_TRUE(env->CreateDirIfMissing("d").ok());
  EXPECT_TRUE(env->CreateDirIfMissing("d").ok());
  EXPECT_FALSE(env->CreateDirIfMissing("a").ok());
  EXPECT_FALSE(env->CreateDir("d").ok());

  disk.set_capacity(1);
  EXPECT_TRUE(writer->Append("12").IsNoSpace());
  disk.fail_next({.operation = DiskOperation::kSync, .error = {ErrorKind::kInternal, "broken a"}});
  const rocksdb::Status broken = writer->Sync();
  EXPECT_TRUE(broken.IsIOError());
  EXPECT_FALSE(broken.IsNoSpace());
  EXPECT_THAT(broken.ToString(), HasSubstr("broken a"));
}

TEST(RocksFiles, AFullDiskFailsWritesUntilThereIsRoomAgain) {
  SimulatedDisk disk(7);
  RecordDatabase records(disk, "/db");
  ASSERT_TRUE(records.open().ok());
  disk.set_capacity(300'000);
  int number = 0;
  rocksdb::Status status;
  while ((status = records.write(number, true)).ok()) ++number;
  EXPECT_TRUE(status.IsNoSpace()) << status.ToString();
  EXPECT_FALSE(records.write(number, true).ok());
  EXPECT_EQ(records.count(), number);

  disk.set_capacity(10'000'000);
  rocksdb::Status resumed;
  do resumed = records.database().Resume();  // Busy while RocksDB's own watch over the free space is at it.
  while (resumed.IsBusy());
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  for (int end = number + 1000; number < end; ++number) ASSERT_TRUE(records.write(number, true).ok());
  EXPECT_EQ(records.count(), number);
  records.close();
  ASSERT_TRUE(records.open().ok());
  EXPECT_EQ(records.count(), number);
}

TEST(RocksFiles, AfterAFailedSyncNothingIsWritten) {
  SimulatedDisk disk(7);
  RecordDatabase records(disk, "/db");
  ASSERT_TRUE(records.open().ok());
  ASSERT_TRUE(records.write(0, true).ok());
  DiskFault fault{.operation = DiskOperation::kSync, .error = {ErrorKind::kInternal, "broken"}};
  fault.path_part = ".log";
  disk.fail_next(std::move(fault));
  EXPECT_FALSE(records.write(1, true).ok());
  EXPECT_FALSE(records.write(2, true).ok());
}

}  // namespace
}  // namespace carillon
