#include "base/simulated_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <thread>

namespace carillon {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kSeeds = 300;

std::unique_ptr<FileForAppend> must_create(Files& files, const std::string& path) {
  auto file = files.create(path);
  EXPECT_TRUE(file) << file.error().text;
  return file ? std::move(*file) : nullptr;
}

void must_write(Files& files, const std::string& path, std::string_view text) {
  const auto file = must_create(files, path);
  ASSERT_NE(file, nullptr);
  EXPECT_TRUE(file->append(text));
  EXPECT_TRUE(file->sync());
}

std::string text_of(Files& files, const std::string& path) {
  const auto file = files.read_from(path);
  if (!file) return std::string("none: ") + error_kind_name(file.error().kind);
  std::string text(files.info(path)->size, '\0');
  const auto count = (*file)->read(0, text);
  if (!count) return "unreadable: " + count.error().text;
  text.resize(*count);
  return text;
}

// What `path` may be after power was lost, over many seeds.
std::set<std::string> texts_after(const std::string& path, const std::function<void(SimulatedDisk&)>& before) {
  std::set<std::string> texts;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimulatedDisk disk(seed);
    before(disk);
    disk.lose_power();
    disk.restore_power();
    texts.insert(text_of(disk, path));
  }
  return texts;
}

TEST(SimulatedDisk, FilesHoldWhatWasAppended) {
  SimulatedDisk disk(1);
  must_write(disk, "/a", "one");
  const auto file = disk.append_to("a");
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->append(" two"));
  EXPECT_EQ((*file)->size(), 7u);
  EXPECT_EQ(text_of(disk, "a"), "one two");
  EXPECT_TRUE((*file)->truncate(2));
  EXPECT_TRUE((*file)->truncate(3));
  EXPECT_TRUE((*file)->append("x"));
  EXPECT_EQ(text_of(disk, "a"), std::string("on\0x", 4));
  must_write(disk, "a", "");
  EXPECT_EQ(text_of(disk, "a"), "");
}

TEST(SimulatedDisk, DirectoriesHoldNames) {
  SimulatedDisk disk(1);
  EXPECT_EQ(disk.make_directory("d/e").error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(disk.make_directory("d"));
  EXPECT_TRUE(disk.make_directory("d/e"));
  EXPECT_EQ(disk.make_directory("d").error().kind, ErrorKind::kConflict);
  must_write(disk, "d/e/a", "1");
  must_write(disk, "d/b", "2");
  EXPECT_TRUE(disk.rename("d/e/a", "d/b"));
  EXPECT_TRUE(disk.link("d/b", "d/e/c"));
  EXPECT_THAT(*disk.list("/d/"), UnorderedElementsAre("b", "e"));
  EXPECT_EQ(text_of(disk, "d/e/c"), "1");
  EXPECT_TRUE(disk.info("d")->directory);
  EXPECT_FALSE(disk.info("d/b")->directory);
  EXPECT_EQ(disk.remove_directory("d/e").error().kind, ErrorKind::kConflict);
  EXPECT_EQ(disk.remove("d/e").error().kind, ErrorKind::kInvalid);
  EXPECT_TRUE(disk.remove("d/e/c"));
  EXPECT_TRUE(disk.remove_directory("d/e"));
  EXPECT_EQ(text_of(disk, "d/b"), "1");
}

TEST(SimulatedDisk, ErrorsHaveTheirKind) {
  SimulatedDisk disk(1);
  must_write(disk, "a", "1");
  EXPECT_EQ(disk.read_from("b").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(disk.create("a/b").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(disk.create("../b").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(disk.create("/").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(disk.list("b").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(disk.remove("b").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(disk.rename("b", "c").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(disk.link("a", "a").error().kind, ErrorKind::kConflict);
  EXPECT_EQ(disk.sync_directory("a").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(disk.free_bytes("b").error().kind, ErrorKind::kNotFound);
}

TEST(SimulatedDisk, WhatIsSyncedSurvivesLossOfPower) {
  const auto texts = texts_after("a", [](SimulatedDisk& disk) {
    const auto file = must_create(disk, "a");
    EXPECT_TRUE(file->append("12"));
    EXPECT_TRUE(file->append("34"));
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(disk.sync_directory("/"));
  });
  EXPECT_THAT(texts, ElementsAre("1234"));
}

TEST(SimulatedDisk, OfWhatIsNotSyncedAnyBeginningSurvivesAndTheLastMayBeGarbage) {
  std::set<std::size_t> sizes;
  bool garbage = false;
  const auto texts = texts_after("a", [](SimulatedDisk& disk) {
    const auto file = must_create(disk, "a");
    EXPECT_TRUE(disk.sync_directory("/"));
    EXPECT_TRUE(file->append("ab"));
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(file->append("cd"));
    EXPECT_TRUE(file->append("ef"));
  });
  for (const std::string& text : texts) {
    sizes.insert(text.size());
    EXPECT_EQ(text.substr(0, 2), "ab");
    garbage = garbage || text != std::string("abcdef").substr(0, text.size());
  }
  EXPECT_THAT(sizes, ElementsAre(2, 3, 4, 5, 6));
  EXPECT_TRUE(garbage);
}

TEST(SimulatedDisk, NamesThatAreNotSyncedMayBeThereOrNot) {
  const auto made = texts_after("a", [](SimulatedDisk& disk) { must_write(disk, "a", "1"); });
  EXPECT_THAT(made, ElementsAre("1", "none: not_found"));

  const auto removed = texts_after("a", [](SimulatedDisk& disk) {
    must_write(disk, "a", "1");
    EXPECT_TRUE(disk.sync_directory(""));
    EXPECT_TRUE(disk.remove("a"));
  });
  EXPECT_THAT(removed, ElementsAre("1", "none: not_found"));

  const auto in_a_lost_directory = texts_after("d/a", [](SimulatedDisk& disk) {
    EXPECT_TRUE(disk.make_directory("d"));
    must_write(disk, "d/a", "1");
    EXPECT_TRUE(disk.sync_directory("d"));
  });
  EXPECT_THAT(in_a_lost_directory, ElementsAre("1", "none: not_found"));
}

TEST(SimulatedDisk, ARenameHappensWhollyOrNotAtAll) {
  const auto rename = [](SimulatedDisk& disk) {
    must_write(disk, "a", "old");
    must_write(disk, "b", "new");
    EXPECT_TRUE(disk.sync_directory("/"));
    EXPECT_TRUE(disk.rename("b", "a"));
  };
  EXPECT_THAT(texts_after("a", rename), ElementsAre("new", "old"));
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimulatedDisk disk(seed);
    rename(disk);
    disk.lose_power();
    disk.restore_power();
    EXPECT_EQ(text_of(disk, "a") == "old", text_of(disk, "b") == "new");
  }
}

TEST(SimulatedDisk, ATruncationThatIsNotSyncedMayNotHaveHappened) {
  const auto truncate = [](SimulatedDisk& disk) {
    must_write(disk, "a", "123456");
    EXPECT_TRUE(disk.sync_directory("/"));
    const auto file = disk.append_to("a");
    EXPECT_TRUE((*file)->truncate(4));
    EXPECT_TRUE((*file)->truncate(2));
  };
  EXPECT_THAT(texts_after("a", truncate), ElementsAre("12", "123456"));
  EXPECT_THAT(texts_after("a",
                          [&](SimulatedDisk& disk) {
                            truncate(disk);
                            EXPECT_TRUE((*disk.append_to("a"))->sync());
                          }),
              ElementsAre("12"));
}

TEST(SimulatedDisk, TheSameSeedLosesTheSame) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    std::set<std::string> texts;
    for (int round = 0; round < 3; ++round) {
      SimulatedDisk disk(seed);
      const auto file = must_create(disk, "a");
      EXPECT_TRUE(disk.sync_directory("/"));
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(file->append("some text"));
      disk.lose_power();
      disk.restore_power();
      texts.insert(text_of(disk, "a"));
    }
    EXPECT_EQ(texts.size(), 1u);
  }
}

TEST(SimulatedDisk, WithoutPowerNothingWorksAndWhatWasOpenStaysDead) {
  SimulatedDisk disk(1);
  must_write(disk, "a", "1");
  EXPECT_TRUE(disk.sync_directory("/"));
  const auto writer = disk.append_to("a");
  const auto reader = disk.read_from("a");
  const auto lock = disk.lock("a");
  disk.lose_power();
  EXPECT_FALSE(disk.has_power());
  EXPECT_EQ(disk.create("b").error().kind, ErrorKind::kInternal);
  EXPECT_EQ(disk.remove("a").error().kind, ErrorKind::kInternal);
  EXPECT_EQ(disk.list("/").error().kind, ErrorKind::kInternal);

  disk.restore_power();
  char byte[1];
  EXPECT_EQ((*writer)->append("2").error().kind, ErrorKind::kInternal);
  EXPECT_EQ((*writer)->sync().error().kind, ErrorKind::kInternal);
  EXPECT_EQ((*writer)->truncate(0).error().kind, ErrorKind::kInternal);
  EXPECT_EQ((*reader)->read(0, byte).error().kind, ErrorKind::kInternal);
  EXPECT_EQ(text_of(disk, "a"), "1");
}

TEST(SimulatedDisk, ALockIsHeldOnceUntilItsHolderEndsOrPowerIsLost) {
  SimulatedDisk disk(1);
  auto first = disk.lock("LOCK");
  ASSERT_TRUE(first);
  EXPECT_TRUE(disk.sync_directory("/"));
  EXPECT_EQ(disk.lock("LOCK").error().kind, ErrorKind::kConflict);
  first->reset();
  auto second = disk.lock("LOCK");
  ASSERT_TRUE(second);
  disk.lose_power();
  disk.restore_power();
  const auto third = disk.lock("LOCK");
  EXPECT_TRUE(third);
  second->reset();  // The dead one frees nothing.
  EXPECT_EQ(disk.lock("LOCK").error().kind, ErrorKind::kConflict);
}

TEST(SimulatedDisk, PowerGoesBeforeTheChangeThatWasNamed) {
  SimulatedDisk disk(1);
  disk.lose_power_before_change(4);
  const auto file = must_create(disk, "a");
  EXPECT_TRUE(disk.sync_directory("/"));
  EXPECT_TRUE(file->append("1"));
  EXPECT_EQ(disk.changes(), 3u);
  EXPECT_TRUE(disk.has_power());
  EXPECT_FALSE(file->sync());
  EXPECT_FALSE(disk.has_power());
  disk.restore_power();
  EXPECT_TRUE(disk.create("b"));
}

TEST(SimulatedDisk, AFullDiskTakesWhatFitsUntilThereIsRoom) {
  SimulatedDisk disk(1);
  must_write(disk, "old", "12345");
  disk.set_capacity(8);
  EXPECT_EQ(*disk.free_bytes("/"), 3u);
  const auto file = must_create(disk, "a");
  const auto written = file->append("abcdef");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kLimit);
  EXPECT_EQ(text_of(disk, "a"), "abc");
  EXPECT_EQ(*disk.free_bytes("/"), 0u);
  EXPECT_TRUE(disk.remove("old"));
  EXPECT_TRUE(file->append("defgh"));
  EXPECT_EQ(file->append("i").error().kind, ErrorKind::kLimit);
  disk.set_capacity(100);
  EXPECT_TRUE(file->append("i"));
  EXPECT_EQ(text_of(disk, "a"), "abcdefghi");
}

TEST(SimulatedDisk, AFaultFailsTheCallsItNames) {
  SimulatedDisk disk(1);
  const auto a = must_create(disk, "a");
  const auto b = must_create(disk, "b.log");
  const Error error{ErrorKind::kCorrupt, "broken"};
  disk.fail_next({.operation = DiskOperation::kAppend, .error = error, .after = 1, .count = 2, .path_part = ".log"});
  EXPECT_TRUE(a->append("1"));
  EXPECT_TRUE(b->append("1"));
  EXPECT_TRUE(a->append("2"));
  EXPECT_EQ(b->append("2").error().text, "broken");
  EXPECT_EQ(b->append("3").error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(b->append("4"));
  EXPECT_EQ(text_of(disk, "a"), "12");

  disk.fail_next({.operation = DiskOperation::kRead, .error = error});
  EXPECT_EQ(text_of(disk, "a"), "unreadable: broken");
  EXPECT_EQ(text_of(disk, "a"), "12");
  disk.fail_next({.operation = DiskOperation::kName, .error = error});
  EXPECT_FALSE(disk.rename("a", "c"));
  EXPECT_THAT(*disk.list("/"), Contains("a"));
}

TEST(SimulatedDisk, WhatAFailedSyncShouldHaveSyncedStaysUnsynced) {
  const auto texts = texts_after("a", [](SimulatedDisk& disk) {
    const auto file = must_create(disk, "a");
    EXPECT_TRUE(disk.sync_directory("/"));
    EXPECT_TRUE(file->append("1"));
    disk.fail_next({.operation = DiskOperation::kSync, .error = {ErrorKind::kInternal, "broken"}});
    EXPECT_FALSE(file->sync());
    EXPECT_TRUE(file->sync());
  });
  EXPECT_THAT(texts, Contains(""));
  EXPECT_THAT(texts, Contains("1"));
}

TEST(SimulatedDisk, CountsWhatItIsAskedFor) {
  SimulatedDisk disk(1);
  must_write(disk, "a", "123");
  EXPECT_TRUE(disk.sync_directory("/"));
  EXPECT_EQ(text_of(disk, "a"), "123");
  const DiskCounts counts = disk.counts();
  EXPECT_EQ(counts.appends, 1u);
  EXPECT_EQ(counts.appended_bytes, 3u);
  EXPECT_EQ(counts.syncs, 1u);
  EXPECT_EQ(counts.directory_syncs, 1u);
  EXPECT_EQ(counts.reads, 1u);
}

TEST(SimulatedDisk, ThreadsMayUseItTogether) {
  SimulatedDisk disk(1);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&disk, i] {
      const auto file = disk.create("file" + std::to_string(i));
      for (int n = 0; n < 200; ++n) {
        EXPECT_TRUE((*file)->append("x"));
        EXPECT_TRUE((*file)->sync());
        EXPECT_TRUE(disk.sync_directory("/"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(disk.counts().appends, 800u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(text_of(disk, "file" + std::to_string(i)).size(), 200u);
}

}  // namespace
}  // namespace carillon
