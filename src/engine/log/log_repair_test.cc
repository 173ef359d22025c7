#include "engine/log/log_repair.h"

#include <gmock/gmock.h>

#include "engine/log/log_store.h"
#include "engine/log/written_log_double.h"
#include "engine/memory/hub_double.h"
#include "engine/memory/memory_engine.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class LogRepairTest : public WrittenLogTest<FixedClock, SeededRandom, MemoryEngine> {
 protected:
  LogCheck check() {
    Result<LogCheck> checked =
        check_log(disk_, clock_, random_, kDirectory, [](std::string_view, std::uint64_t, std::uint64_t) {});
    EXPECT_TRUE(checked) << checked.error().text;
    return *std::move(checked);
  }
  Result<LogRepair> try_repair() {
    return repair_log(disk_, clock_, random_, kDirectory, [](std::string_view, std::uint64_t, std::uint64_t) {});
  }
  LogRepair repair() {
    Result<LogRepair> repaired = try_repair();
    EXPECT_TRUE(repaired) << repaired.error().text;
    return *std::move(repaired);
  }
  void expect_sound() {
    const LogCheck checked = check();
    EXPECT_TRUE(checked.sound()) << checked.faults.front();
  }
  // What an engine wrote that had none to write so.
  void write_straight(const std::function<void(LogStore&, LogBatch&)>& put) {
    const auto store = LogStore::open(disk_, clock_, random_, {.directory = kDirectory, .key_ms = 1'000'000});
    ASSERT_TRUE(store) << store.error().text;
    LogBatch batch(**store);
    put(**store, batch);
    ASSERT_TRUE((*store)->write(batch, true));
  }
  std::vector<std::string> numbers(int from, int to, int without = -1) {
    std::vector<std::string> all;
    for (int i = from; i < to; ++i) {
      if (i != without) all.push_back("number " + std::to_string(i) + ";");
    }
    return all;
  }
  void publish_numbers(const std::string& channel, int from, int to) {
    for (const std::string& number : numbers(from, to)) publish(channel, number, number);
  }
};

TEST_F(LogRepairTest, ASoundLogIsSoundAndStaysAsItIs) {
  open();
  publish_numbers("a", 0, 30);
  publish("b", "x");
  change({.key = "k", .value = "v"});
  crash();
  const auto before = disk_.changes();
  const LogCheck checked = check();
  EXPECT_TRUE(checked.sound());
  EXPECT_EQ(checked.channels, 2u);
  EXPECT_EQ(checked.publications, 31u);
  EXPECT_EQ(checked.keys, 30u);
  EXPECT_EQ(checked.states, 1u);
  EXPECT_LE(disk_.changes() - before, 1u) << "more than the lock's file was touched";
}

TEST_F(LogRepairTest, AnUnfinishedWriteIsToldAndIsNoFault) {
  open();
  publish_numbers("a", 0, 3);
  crash();
  const std::string log = files(".log").back();
  const std::string bytes = bytes_of(log) + "garbage that is long enough to be a header";
  write_bytes(log, bytes);
  const LogCheck checked = check();
  EXPECT_TRUE(checked.sound());
  ASSERT_THAT(checked.cuts, SizeIs(1));
  EXPECT_EQ(checked.cuts[0].file, log);
  EXPECT_EQ(bytes_of(log), bytes);
}

TEST_F(LogRepairTest, NobodyLooksWhileAServerRuns) {
  open();
  const auto checked = check_log(disk_, clock_, random_, kDirectory, [](std::string_view, std::uint64_t, std::uint64_t) {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(try_repair().error().kind, ErrorKind::kConflict);
}

TEST_F(LogRepairTest, WhatIsAroundADamagedWriteIsKeptInANewEpoch) {
  open();
  publish_numbers("a", 0, 40);
  const std::uint64_t epoch = history("a").top->epoch;
  crash();
  damage(".log", "number 17;");
  EXPECT_THAT(check().faults, ElementsAre(HasSubstr("is damaged at byte")));
  const LogRepair repaired = repair();
  EXPECT_EQ(repaired.publications, 39u);
  EXPECT_THAT(repaired.lost, testing::Contains("channel a: 1 events; it begins a new epoch"));
  expect_sound();
  open();
  EXPECT_EQ(payloads("a"), numbers(0, 40, 17));
  EXPECT_NE(history("a").top->epoch, epoch);
  EXPECT_EQ(history("a").top->offset, 39u);
  EXPECT_TRUE(publish("a", "again", "number 30;").repeated);
  EXPECT_EQ(publish("a", "next").position->offset, 40u);
}

TEST_F(LogRepairTest, ChannelsWrittenBehindTheDamageKeepTheirPositions) {
  open();
  publish_numbers("before", 0, 5);
  publish_numbers("damaged", 0, 1);
  publish_numbers("after", 0, 5);
  const Position before = *history("before").top, after = *history("after").top;
  crash();
  damage(".log", "damaged");
  const LogRepair repaired = repair();
  EXPECT_THAT(repaired.lost, testing::Contains(HasSubstr("channel before: nothing that is known of; it begins a new epoch")));
  expect_sound();
  open();
  EXPECT_EQ(payloads("before"), numbers(0, 5));
  EXPECT_NE(history("before").top->epoch, before.epoch) << "it may have been written to in what is lost";
  EXPECT_EQ(payloads("after"), numbers(0, 5));
  EXPECT_EQ(history("after").top, after);
}

TEST_F(LogRepairTest, TheDamagedFilesAreKept) {
  open();
  publish_numbers("a", 0, 10);
  crash();
  damage(".log", "number 5;");
  const std::string log = files(".log").back();
  const std::string damaged = bytes_of(log);
  const std::string name = log.substr(log.rfind('/'));
  EXPECT_EQ(repair().kept_in, kDirectory + "/damaged-1");
  EXPECT_EQ(bytes_of(kDirectory + "/damaged-1" + name), damaged);
}

TEST_F(LogRepairTest, ADamagedTableIsLeftOutAndPositionsOfOthersStay) {
  open();
  publish_numbers("a", 0, 20);
  crash();
  open();  // Writes what the logs had into tables.
  publish_numbers("b", 0, 20);
  const Position b = *history("b").top;
  crash();
  damage(".sst", "number 7;");
  EXPECT_FALSE(check().sound());
  const LogRepair repaired = repair();
  expect_sound();
  open();
  EXPECT_EQ(payloads("b"), numbers(0, 20));
  EXPECT_EQ(history("b").top, b);
  EXPECT_TRUE(payloads("a").empty());
  EXPECT_THAT(repaired.lost, testing::Contains("channel a: 20 events; it begins a new epoch"));
}

TEST_F(LogRepairTest, ADamagedOrMissingManifestIsRebuilt) {
  for (const bool missing : {false, true}) {
    SCOPED_TRACE(missing);
    open();
    publish_numbers(missing ? "b" : "a", 0, 20);
    close();
    open();
    close();
    const std::string current = bytes_of(kDirectory + "/CURRENT");
    const std::string manifest = kDirectory + "/" + current.substr(0, current.size() - 1);
    if (missing) {
      ASSERT_TRUE(disk_.remove(kDirectory + "/CURRENT"));
    } else {
      std::string bytes = bytes_of(manifest);
      bytes[10] = static_cast<char>(bytes[10] ^ 1);
      write_bytes(manifest, bytes);
    }
    EXPECT_FALSE(check().sound());
    repair();
    expect_sound();
    open();
    EXPECT_EQ(payloads("a"), numbers(0, 20));
    close();
  }
  open();
  EXPECT_EQ(payloads("b"), numbers(0, 20));
}

TEST_F(LogRepairTest, WhatNoRecordShouldSayIsFoundAndPutInOrder) {
  open();
  publish_numbers("hole", 0, 10);
  publish_numbers("end", 0, 10);
  publish_numbers("oldest", 0, 10);
  publish_numbers("same", 0, 10);
  const Position oldest = *history("oldest").top;
  close();
  write_straight([](LogStore& store, LogBatch& batch) {
    batch.erase_publications((*store.channel("hole"))->number, 4, 5);
    batch.erase_publications((*store.channel("end"))->number, 10, 11);
    batch.erase_publications((*store.channel("oldest"))->number, 1, 4);
    batch.put_channel("twin", **store.channel("same"));
    batch.erase_publications(77, 1, 2);
    Publication stray;
    stray.position = Position{1, 1};
    batch.put_publication(78, stray, 0, 0);
    batch.put_state("good", "x", 0);
  });
  const LogCheck checked = check();
  EXPECT_THAT(checked.faults,
              testing::IsSupersetOf({HasSubstr("channel hole, offset 5: 1 events before it are missing"),
                                     HasSubstr("channel end: 1 events before its newest position, 10, are missing"),
                                     HasSubstr("channel oldest, offset 4: 3 events before it are missing"),
                                     HasSubstr("channel twin: it has the same number as channel same"),
                                     HasSubstr("1 events belong to no channel")}));
  repair();
  expect_sound();
  open();
  EXPECT_EQ(payloads("hole"), numbers(0, 10, 3));
  EXPECT_EQ(payloads("end"), numbers(0, 9));
  EXPECT_NE(history("end").top->epoch, oldest.epoch);
  EXPECT_EQ(payloads("oldest"), numbers(3, 10));
  EXPECT_EQ(history("oldest").top, oldest);
  EXPECT_EQ(payloads("same"), numbers(0, 10));
  EXPECT_TRUE(payloads("twin").empty());
  EXPECT_EQ(state("good"), "x");
}

// The power goes at each change of the disk in turn: either nothing has happened yet, or a server refuses the directory until
// the repair is finished, or it is.
TEST_F(LogRepairTest, ARepairMayBeInterruptedAnywhere) {
  open();
  publish_numbers("a", 0, 10);
  crash();
  damage(".log", "number 5;");
  ASSERT_TRUE(disk_.sync_directory(kDirectory));
  int interrupted = 0;
  for (std::uint64_t changes = 1;; ++changes) {
    disk_.lose_power_before_change(changes * 3);
    const Result<LogRepair> repaired = try_repair();
    if (repaired) break;
    ++interrupted;
    disk_.restore_power();
    ASSERT_FALSE(check().sound()) << "change " << changes;
  }
  disk_.lose_power_before_change(0);
  EXPECT_GT(interrupted, 5);
  expect_sound();
  open();
  EXPECT_EQ(payloads("a"), numbers(0, 10, 5));
}

TEST_F(LogRepairTest, AFullDiskLeavesTheDamagedLogAsItWas) {
  open();
  publish_numbers("a", 0, 10);
  crash();
  damage(".log", "number 5;");
  const std::vector<std::string> before = files("");
  disk_.set_capacity(1);
  EXPECT_EQ(try_repair().error().kind, ErrorKind::kLimit);
  EXPECT_EQ(files(""), before);
  disk_.set_capacity(~std::uint64_t{0});
  repair();
  expect_sound();
}

}  // namespace
}  // namespace carillon
