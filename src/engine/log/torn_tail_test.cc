#include "engine/log/torn_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/simulated_disk.h"
#include "engine/log/log_records.h"
#include "engine/log/needed_logs.h"
#include "engine/log/record_database.h"

namespace carillon {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::string kDatabase = "/db";

std::string bytes_of(Files& files, const std::string& path) {
  std::string bytes(files.info(path)->size, '\0');
  EXPECT_EQ(*(*files.read_from(path))->read(0, bytes), bytes.size());
  return bytes;
}

void write_bytes(Files& files, const std::string& path, std::string_view bytes) {
  const auto file = files.create(path);
  EXPECT_TRUE((*file)->append(bytes));
  EXPECT_TRUE((*file)->sync());
}

// The log that a database writes to, and the ends of its records.
struct WrittenLog {
  std::string bytes;
  std::vector<std::uint64_t> ends;
};

struct LogShape {
  std::vector<std::size_t> values = {20, 30, 5, 100, 60};
  bool with_numbers = false;  // Record types 5 to 8.
};

class TornTailTest : public ::testing::Test {
 protected:
  TornTailTest() {
    EXPECT_TRUE(disk_.make_directory(kDatabase));
    EXPECT_TRUE(disk_.sync_directory("/"));
  }

  // A new database whose log holds values of these sizes, closed.
  WrittenLog written_log(const LogShape& shape = {}) {
    RecordDatabase records(disk_, kDatabase);
    records.options().write_buffer_size = 64 << 20;
    if (shape.with_numbers) {
      records.options().recycle_log_file_num = 1;
      records.options().wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;  // Else it recycles none.
    }
    EXPECT_TRUE(records.open().ok());
    path_ = newest_log();
    WrittenLog log;
    for (const std::size_t size : shape.values) {
      EXPECT_TRUE(records.database().Put({}, "key", std::string(size, 'v')).ok());
      log.ends.push_back(disk_.info(path_)->size);
    }
    records.close();
    log.bytes = bytes_of(disk_, path_);
    return log;
  }

  std::string newest_log() {
    std::string newest;
    const auto names = disk_.list(kDatabase);
    for (const std::string& name : *names) {
      if (name.ends_with(".log")) newest = std::max(newest, kDatabase + "/" + name);
    }
    return newest;
  }

  // Expects that these bytes of the database's log are cut to `left`, and that RocksDB then reads them all.
  void expect_cut(std::string_view bytes, std::uint64_t left) {
    write_bytes(disk_, path_, bytes);
    const auto report = cut_torn_tail(disk_, kDatabase);
    ASSERT_TRUE(report) << report.error().text;
    if (left == bytes.size()) {
      EXPECT_THAT(report->cuts, SizeIs(0));
    } else {
      ASSERT_THAT(report->cuts, SizeIs(1));
      EXPECT_EQ(report->cuts[0].file, path_);
      EXPECT_EQ(report->cuts[0].offset, left);
      EXPECT_EQ(report->cuts[0].bytes, bytes.size() - left);
    }
    EXPECT_EQ(bytes_of(disk_, path_), bytes.substr(0, left));
  }

  void expect_damage(std::string_view bytes) {
    write_bytes(disk_, path_, bytes);
    const auto report = cut_torn_tail(disk_, kDatabase);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, ErrorKind::kCorrupt);
    EXPECT_THAT(report.error().text, HasSubstr(path_ + " is damaged at byte "));
    EXPECT_EQ(bytes_of(disk_, path_), bytes);
  }

  SimulatedDisk disk_{1};
  std::string path_ = kDatabase + "/000004.log";
};

// RocksDB's judgement: does it accept the log as whole?
bool rocksdb_takes(const std::string& bytes, const std::string& log, SimulatedDisk& disk) {
  write_bytes(disk, log, bytes);
  RecordDatabase records(disk, kDatabase);
  records.options().wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  records.options().avoid_flush_during_recovery = true;
  return records.open().ok();
}

TEST_F(TornTailTest, AWholeLogIsLeftAlone) {
  const WrittenLog log = written_log();
  expect_cut(log.bytes, log.bytes.size());
}

TEST_F(TornTailTest, WithoutLogsThereIsNothingToDo) {
  EXPECT_THAT(cut_torn_tail(disk_, kDatabase)->cuts, SizeIs(0));
  write_bytes(disk_, path_, "");
  write_bytes(disk_, kDatabase + "/LOG", "no log of this kind");
  write_bytes(disk_, kDatabase + "/x.log", "no number");
  EXPECT_THAT(cut_torn_tail(disk_, kDatabase)->cuts, SizeIs(0));
  EXPECT_EQ(cut_torn_tail(disk_, "/none").error().kind, ErrorKind::kNotFound);
}

TEST_F(TornTailTest, ALogThatEndsAnywhereIsCutBehindItsLastWholeRecord) {
  const WrittenLog log = written_log();
  std::uint64_t whole = 0;
  std::size_t next = 0;
  for (std::uint64_t size = 0; size <= log.bytes.size(); ++size) {
    SCOPED_TRACE(size);
    if (size == log.ends[next]) whole = log.ends[next++];
    expect_cut(log.bytes.substr(0, size), whole);
  }
}

TEST_F(TornTailTest, RocksDbRefusesWhatIsCutAndTakesWhatIsLeft) {
  const WrittenLog log = written_log();
  const std::uint64_t whole = log.ends[log.ends.size() - 2];
  for (std::uint64_t size = whole + 1; size < log.bytes.size(); size += 5) {
    SCOPED_TRACE(size);
    SimulatedDisk disk(1);
    ASSERT_TRUE(disk.make_directory(kDatabase));
    const auto names = disk_.list(kDatabase);
    for (const std::string& name : *names) {
      write_bytes(disk, kDatabase + "/" + name, bytes_of(disk_, kDatabase + "/" + name));
    }
    EXPECT_FALSE(rocksdb_takes(log.bytes.substr(0, size), path_, disk));
    ASSERT_TRUE(cut_torn_tail(disk, kDatabase));
    EXPECT_TRUE(rocksdb_takes(bytes_of(disk, path_), path_, disk));
  }
}

TEST_F(TornTailTest, GarbageAtTheEndIsCut) {
  const WrittenLog log = written_log();
  for (const std::size_t size : {1, 6, 7, 8, 100, 5000, 70'000}) {
    SCOPED_TRACE(size);
    std::string garbage(size, '\0');
    for (std::size_t i = 0; i < size; ++i) garbage[i] = static_cast<char>(i * 37 + 11);
    expect_cut(log.bytes + garbage, log.bytes.size());
  }
}

TEST_F(TornTailTest, ZeroesAtTheEndAreCut) {
  const WrittenLog log = written_log();
  for (const std::size_t size : {1, 7, 100, 40'000, 100'000}) {
    SCOPED_TRACE(size);
    expect_cut(log.bytes + std::string(size, '\0'), log.bytes.size());
  }
}

TEST_F(TornTailTest, AFlippedBitInTheLastRecordCutsThatRecord) {
  const WrittenLog log = written_log();
  const std::uint64_t begin = log.ends[log.ends.size() - 2];
  for (std::uint64_t bit = begin * 8; bit < log.bytes.size() * 8; ++bit) {
    SCOPED_TRACE(bit);
    std::string bytes = log.bytes;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    expect_cut(bytes, begin);
  }
}

TEST_F(TornTailTest, AFlippedBitAnywhereBeforeTheLastRecordIsDamage) {
  const WrittenLog log = written_log();
  for (std::uint64_t bit = 0; bit < log.ends[log.ends.size() - 2] * 8; ++bit) {
    SCOPED_TRACE(bit);
    std::string bytes = log.bytes;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    expect_damage(bytes);
  }
}

TEST_F(TornTailTest, ZeroesWithinALogAreDamage) {
  const WrittenLog log = written_log({.values = {100, 40'000, 40'000, 100}});
  std::string bytes = log.bytes;
  std::fill_n(bytes.begin() + 32768, 32768, '\0');
  expect_damage(bytes);
}

TEST_F(TornTailTest, RecordsOfSeveralBlocksAreCutWholly) {
  const WrittenLog log = written_log({.values = {100, 100'000, 40'000, 200'000}});
  for (std::uint64_t size = log.ends[0]; size < log.bytes.size(); size += 1777) {
    SCOPED_TRACE(size);
    std::uint64_t whole = 0;
    for (const std::uint64_t end : log.ends) whole = end <= size ? end : whole;
    expect_cut(log.bytes.substr(0, size), whole);
  }
  expect_cut(log.bytes.substr(0, 65536), log.ends[0]);  // At the end of a block.
  std::string bytes = log.bytes;
  bytes[50'000] = 'x';
  expect_damage(bytes);
  bytes = log.bytes;
  bytes[log.bytes.size() - 100'000] = 'x';
  expect_cut(bytes, log.ends[2]);
}

TEST_F(TornTailTest, FragmentsThatMakeNoRecordAreDamage) {
  const WrittenLog log = written_log({.values = {100, 100'000, 100}});
  const std::string first_block = log.bytes.substr(0, LogRecords::kBlockSize);
  const std::string others = log.bytes.substr(LogRecords::kBlockSize);
  expect_damage(first_block + first_block + others);  // One begins before the last is over.
  expect_damage(others);                              // The first goes on, but never began.
}

TEST_F(TornTailTest, BlocksMayEndWithAnyPadding) {
  for (std::size_t left = 0; left <= 14; ++left) {
    SCOPED_TRACE(left);
    SimulatedDisk disk(1);
    ASSERT_TRUE(disk.make_directory(kDatabase));
    RecordDatabase records(disk, kDatabase);
    ASSERT_TRUE(records.open().ok());
    const auto log_size = [&] { return disk.info(path_)->size; };
    ASSERT_TRUE(records.database().Put({}, "key", std::string(1000, 'v')).ok());
    const std::size_t overhead = log_size() - 1000 + 1;  // A longer value has a length of one byte more.
    const std::size_t rest = LogRecords::kBlockSize - log_size() - overhead - left;
    ASSERT_TRUE(records.database().Put({}, "key", std::string(rest, 'v')).ok());
    ASSERT_EQ(log_size(), LogRecords::kBlockSize - left);
    EXPECT_THAT(cut_torn_tail(disk, kDatabase)->cuts, SizeIs(0));
    ASSERT_TRUE(records.database().Put({}, "key", "value").ok());
    EXPECT_GT(log_size(), LogRecords::kBlockSize - left);
    const auto report = cut_torn_tail(disk, kDatabase);
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_THAT(report->cuts, SizeIs(0));
  }
}

TEST_F(TornTailTest, RecordsWithTheNumberOfTheirLogAreUnderstood) {
  const WrittenLog log = written_log({.values = {100, 100'000, 50}, .with_numbers = true});
  ASSERT_GE(log.bytes[6], 5);
  expect_cut(log.bytes, log.bytes.size());
  expect_cut(log.bytes.substr(0, log.bytes.size() - 1), log.ends[1]);
  // Under another name all of it was left by an earlier use of the file.
  write_bytes(disk_, kDatabase + "/000999.log", log.bytes);
  EXPECT_THAT(cut_torn_tail(disk_, kDatabase)->cuts, SizeIs(0));
  EXPECT_EQ(bytes_of(disk_, kDatabase + "/000999.log").size(), log.bytes.size());
}

TEST_F(TornTailTest, AnOlderLogMayEndEarlyButNotInGarbage) {
  const WrittenLog log = written_log();
  const std::string newer = kDatabase + "/900000.log";
  const std::uint64_t whole = log.ends[log.ends.size() - 2];
  write_bytes(disk_, newer, log.bytes);
  expect_cut(log.bytes.substr(0, log.bytes.size() - 1), whole);
  expect_damage(log.bytes + "garbage that is long enough");
  write_bytes(disk_, newer, "");
  expect_cut(log.bytes + "garbage that is long enough", log.bytes.size());
  write_bytes(disk_, newer, log.bytes.substr(0, 10));
  write_bytes(disk_, path_, log.bytes.substr(0, whole + 3));
  const auto report = cut_torn_tail(disk_, kDatabase);
  ASSERT_TRUE(report) << report.error().text;
  ASSERT_THAT(report->cuts, SizeIs(2));
  EXPECT_EQ(report->cuts[0].file, newer);
  EXPECT_EQ(report->cuts[0].offset, 0u);
  EXPECT_EQ(report->cuts[1].offset, whole);
}

TEST_F(TornTailTest, NothingIsCutBesideDamage) {
  const WrittenLog log = written_log();
  const std::string newer = kDatabase + "/900000.log";
  const std::string torn = log.bytes.substr(0, log.bytes.size() - 1);
  write_bytes(disk_, newer, torn);
  std::string damaged = log.bytes;
  damaged[20] = static_cast<char>(~damaged[20]);
  expect_damage(damaged);
  EXPECT_EQ(bytes_of(disk_, newer), torn);
}

TEST_F(TornTailTest, ACutSurvivesLossOfPower) {
  const WrittenLog log = written_log();
  ASSERT_TRUE(disk_.sync_directory(kDatabase));
  expect_cut(log.bytes.substr(0, log.bytes.size() - 1), log.ends[log.ends.size() - 2]);
  disk_.lose_power();
  disk_.restore_power();
  EXPECT_EQ(bytes_of(disk_, path_).size(), log.ends[log.ends.size() - 2]);
}

TEST_F(TornTailTest, ErrorsOfTheDiskAreTold) {
  const WrittenLog log = written_log();
  disk_.fail_next({.operation = DiskOperation::kRead, .error = {ErrorKind::kCorrupt, "unreadable"}, .path_part = ".log"});
  EXPECT_EQ(cut_torn_tail(disk_, kDatabase).error().text, "unreadable");
  write_bytes(disk_, path_, log.bytes.substr(0, 10));
  disk_.fail_next({.operation = DiskOperation::kSync, .error = {ErrorKind::kInternal, "broken"}, .path_part = ".log"});
  EXPECT_EQ(cut_torn_tail(disk_, kDatabase).error().text, "broken");
}

TEST_F(TornTailTest, ALogThatRocksDbNeedsNoMoreIsNotLookedAt) {
  RecordDatabase records(disk_, kDatabase);
  ASSERT_TRUE(records.open().ok());
  ASSERT_TRUE(records.write(0, true).ok());
  path_ = newest_log();
  ASSERT_TRUE(records.database().Flush({}).ok());
  ASSERT_TRUE(records.write(1, true).ok());
  records.close();
  ASSERT_NE(newest_log(), path_);
  expect_cut("garbage that came back, longer than a header", 44);
  ASSERT_TRUE(rocksdb_takes(bytes_of(disk_, newest_log()), newest_log(), disk_));
}

TEST_F(TornTailTest, TheManifestsEndIsCutToo) {
  written_log();
  const std::string manifest = read_needed_logs(disk_, kDatabase)->manifest;
  const std::string bytes = bytes_of(disk_, manifest);
  for (const std::string& end : {std::string(60, 'g'), std::string("\0\0\0\0\x99\x00\x01", 7)}) {
    write_bytes(disk_, manifest, bytes + end);
    const auto report = cut_torn_tail(disk_, kDatabase);
    ASSERT_TRUE(report) << report.error().text;
    ASSERT_THAT(report->cuts, SizeIs(1));
    EXPECT_EQ(report->cuts[0].file, manifest);
    EXPECT_EQ(bytes_of(disk_, manifest), bytes);
  }
  std::string damaged = bytes;
  damaged[10] = static_cast<char>(~damaged[10]);
  write_bytes(disk_, manifest, damaged);
  const auto report = cut_torn_tail(disk_, kDatabase);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text, HasSubstr(manifest + " is damaged at byte 0"));
}

TEST_F(TornTailTest, ALogThatDoesNotGoOnWhereTheTablesEndIsDamage) {
  RecordDatabase records(disk_, kDatabase);
  ASSERT_TRUE(records.open().ok());
  const std::string manifest = read_needed_logs(disk_, kDatabase)->manifest;
  ASSERT_TRUE(records.write(0, true).ok());
  const std::string before = bytes_of(disk_, manifest);
  ASSERT_TRUE(records.database().Flush({}).ok());
  ASSERT_TRUE(records.write(1, true).ok());
  records.close();
  EXPECT_TRUE(cut_torn_tail(disk_, kDatabase));
  write_bytes(disk_, manifest, before);  // Knows nothing of the table, and the first log is gone.
  const auto report = cut_torn_tail(disk_, kDatabase);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text, HasSubstr(newest_log() + " is damaged at byte 0: records are missing"));
}

TEST_F(TornTailTest, ALogThatDoesNotGoOnWhereTheOlderOneEndsIsDamage) {
  RecordDatabase records(disk_, kDatabase);
  records.options().max_write_buffer_number = 100;
  records.options().min_write_buffer_number_to_merge = 90;  // So that several logs are needed.
  ASSERT_TRUE(records.open().ok());
  path_ = newest_log();
  std::vector<std::uint64_t> ends = {0};
  int number = 0;
  for (; newest_log() == path_; ++number) {
    ASSERT_TRUE(records.write(number, false).ok());
    ends.push_back(disk_.info(path_)->size);
  }
  ends.pop_back();  // The last write went to the next log.
  ASSERT_TRUE(records.write(number, true).ok());
  const std::string bytes = bytes_of(disk_, path_);
  // As a crash leaves it.
  disk_.lose_power();
  disk_.restore_power();
  records.close();

  expect_cut(bytes, bytes.size());
  expect_cut(bytes + "abc", bytes.size());
  expect_damage(bytes.substr(0, ends[ends.size() - 2]));
  expect_damage(bytes.substr(0, bytes.size() - 1));
  expect_damage("");
}

struct Outcome {
  int synced = 0;
  int there = 0;
  std::size_t cuts = 0;
  bool damaged = false;
};

// One life of a database, which ends when power is lost before some change of the disk, and the beginning of the next.
Outcome live_lose_power_and_come_back(std::uint64_t seed, int writes_a_sync) {
  Outcome outcome;
  SimulatedDisk disk(seed);
  EXPECT_TRUE(disk.make_directory(kDatabase));
  EXPECT_TRUE(disk.sync_directory("/"));
  RecordDatabase before(disk, kDatabase);
  if (seed % 2 == 1) {  // Several logs are needed at a time.
    before.options().max_write_buffer_number = 100;
    before.options().min_write_buffer_number_to_merge = 90;
  }
  disk.lose_power_before_change(1 + seed * 37 % 2000);
  const bool opened_before = before.open().ok();
  for (int number = 0; opened_before && disk.has_power(); ++number) {
    const bool sync = number % writes_a_sync == 0;
    if (before.write(number, sync).ok() && sync) outcome.synced = number + 1;
  }
  before.close();
  disk.restore_power();

  const auto report = cut_torn_tail(disk, kDatabase);
  outcome.damaged = !report;
  if (outcome.damaged) return outcome;
  outcome.cuts = report->cuts.size();
  RecordDatabase after(disk, kDatabase);
  after.options().wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  const rocksdb::Status opened = after.open();
  EXPECT_TRUE(opened.ok()) << opened.ToString();
  if (opened.ok()) outcome.there = after.count();
  return outcome;
}

TEST(TornTail, AfterLossOfPowerOnlyWholeLogsAreLeftWithEverySyncedWrite) {
  std::size_t cuts = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Outcome outcome = live_lose_power_and_come_back(seed, 1);
    EXPECT_FALSE(outcome.damaged);
    EXPECT_GE(outcome.there, outcome.synced);
    cuts += outcome.cuts;
  }
  EXPECT_GT(cuts, 0u);
}

// RecordDatabase::count sees that nothing is missing between what is there.
TEST(TornTail, WhereFewWritesAreSyncedTheirBeginningIsThereAfterLossOfPower) {
  std::size_t cuts = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Outcome outcome = live_lose_power_and_come_back(seed, 2 + static_cast<int>(seed % 30) * 7);
    EXPECT_FALSE(outcome.damaged);
    EXPECT_GE(outcome.there, outcome.synced);
    cuts += outcome.cuts;
  }
  EXPECT_GT(cuts, 0u);
}

}  // namespace
}  // namespace carillon
