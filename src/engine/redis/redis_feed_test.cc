#include "engine/redis/redis_feed.h"

#include <gtest/gtest.h>

#include "hub/engine_double.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

class RedisFeedTest : public testing::Test {
 protected:
  using Offsets = std::vector<std::uint64_t>;

  static PublicationPtr at(std::uint64_t offset, std::uint64_t epoch = 7) {
    auto made = std::make_unique<Publication>();
    made->channel = "a";
    made->position = Position{epoch, offset};
    return PublicationPtr(made.release());
  }
  bool live(std::uint64_t offset, std::uint64_t epoch = 7) { return feed.take_live(at(offset, epoch)); }
  bool own(std::uint64_t offset, std::uint64_t epoch = 7) { return feed.take_own(at(offset, epoch)); }
  // True: there is more.
  bool missed(const Position& top, const Offsets& offsets, std::size_t count = 100, bool was_deaf = false) {
    RespValue::Array entries;
    for (const std::uint64_t offset : offsets) {
      RespValue::Array fields;
      for (const char* const word : {"time", "1", "id", "1f", "event", "e", "data", ""}) fields.push_back({std::string(word)});
      entries.push_back({RespValue::Array{{redis_position({top.epoch, offset})}, {std::move(fields)}}});
    }
    const RespValue reply{RespValue::Array{{redis_position(top)}, {std::move(entries)}}};
    return feed.take_missed(reply, count, was_deaf, {.node = "here"});
  }
  Offsets heard() {
    Offsets all;
    for (const PublicationPtr& publication : events.by_channel["a"]) all.push_back(publication->position->offset);
    return all;
  }

  HeardEvents events;
  RedisFeed feed{"a", true, &events};
};

TEST_F(RedisFeedTest, HandsOutEachOnceInOrder) {
  for (const std::uint64_t offset : {4, 5, 5, 4, 6}) EXPECT_FALSE(live(offset));
  EXPECT_EQ(heard(), (Offsets{4, 5, 6}));
  EXPECT_EQ(feed.last(), (Position{7, 6}));
}

TEST_F(RedisFeedTest, SaysWhatItHandedOutLastWhereThatIsKnown) {
  EXPECT_FALSE(feed.mark());
  EXPECT_FALSE(live(4));
  EXPECT_EQ(feed.mark()->position, (Position{7, 4}));
  EXPECT_FALSE(feed.mark()->random) << "its id is nil";
  auto next = std::make_unique<Publication>();
  next->channel = "a";
  next->position = Position{7, 5};
  next->id = publication_id(*next->position, 0x123);
  EXPECT_FALSE(feed.take_live(PublicationPtr(next.release())));
  EXPECT_EQ(feed.mark()->random, 0x123u);
  auto bare = std::make_unique<Publication>();
  bare->channel = "a";
  bare->id = publication_id({7, 9}, 0x456);
  feed.take_bare(PublicationPtr(bare.release()));
  EXPECT_EQ(feed.mark()->random, 0x123u) << "what has no position stands nowhere";
  feed.begin_reading();
  EXPECT_FALSE(missed({7, 8}, {6}));
  EXPECT_EQ(feed.mark()->position, (Position{7, 8}));
  EXPECT_FALSE(feed.mark()->random) << "what is there is lost";
}

TEST_F(RedisFeedTest, AnOwnOneWaitsForThoseBeforeIt) {
  EXPECT_FALSE(live(1));
  EXPECT_FALSE(own(2));
  EXPECT_TRUE(own(4));
  EXPECT_FALSE(live(2));
  EXPECT_EQ(heard(), (Offsets{1, 2}));
  EXPECT_FALSE(live(3)) << "nothing is to be read";
  EXPECT_FALSE(live(4));
  EXPECT_EQ(heard(), (Offsets{1, 2, 3, 4}));
}

TEST_F(RedisFeedTest, AnOwnOneBeforeAnythingIsKnownWaitsForTheStart) {
  EXPECT_TRUE(own(5));
  feed.start_at({7, 4});
  EXPECT_EQ(heard(), Offsets{5});
}

TEST_F(RedisFeedTest, WhatIsMissingIsReadAndWhatIsHeldFollows) {
  EXPECT_FALSE(live(1));
  EXPECT_TRUE(live(4));
  feed.begin_reading();
  EXPECT_FALSE(live(5));
  EXPECT_TRUE(own(6));
  EXPECT_FALSE(missed({7, 4}, {2, 3, 4}));
  EXPECT_EQ(heard(), (Offsets{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(events.gaps.empty());
}

TEST_F(RedisFeedTest, WhatTheStreamHasNoMoreIsTold) {
  EXPECT_FALSE(live(1));
  EXPECT_TRUE(live(9));
  feed.begin_reading();
  EXPECT_TRUE(missed({7, 9}, {5, 6}, 2)) << "a full part: there may be more";
  EXPECT_FALSE(missed({7, 9}, {7, 8}, 3));
  EXPECT_EQ(heard(), (Offsets{1, 5, 6, 7, 8}));
  EXPECT_EQ(events.gaps, (std::vector<std::pair<std::string, std::uint64_t>>{{"a", 3}, {"a", 1}}));
}

TEST_F(RedisFeedTest, MoreThanMayBeHeldIsReadAgain) {
  EXPECT_FALSE(live(1));
  EXPECT_TRUE(live(3));
  feed.begin_reading();
  const std::uint64_t last = RedisFeed::kHeldMax + 50;
  Offsets rest;
  for (std::uint64_t offset = 4; offset <= last; ++offset) {
    EXPECT_FALSE(live(offset));
    rest.push_back(offset);
  }
  EXPECT_TRUE(missed({7, 3}, {2, 3})) << "those behind it were dropped";
  EXPECT_TRUE(feed.reading());
  EXPECT_FALSE(missed({7, last}, rest, 10'000));
  EXPECT_EQ(heard().size(), last);
  EXPECT_TRUE(events.gaps.empty());
}

TEST_F(RedisFeedTest, ANewEpochIsTold) {
  EXPECT_FALSE(live(5));
  EXPECT_FALSE(live(1, 8));
  EXPECT_TRUE(live(6)) << "another epoch than the stream's, or late: it is asked";
  feed.begin_reading();
  EXPECT_FALSE(missed({8, 1}, {}));
  EXPECT_EQ(heard(), (Offsets{5, 1}));
  EXPECT_EQ(events.gaps.size(), 1u);
  // Redis began anew with its clock set back.
  EXPECT_TRUE(live(2, 3));
  feed.begin_reading();
  EXPECT_FALSE(missed({3, 2}, {1, 2}));
  EXPECT_EQ(heard(), (Offsets{5, 1, 1, 2}));
  EXPECT_EQ(events.gaps.size(), 2u);
}

TEST_F(RedisFeedTest, WhereNothingWasKnownALossIsToldIfThereCanBeOne) {
  feed.begin_reading();
  EXPECT_FALSE(missed({7, 0}, {}, 100, true));
  EXPECT_TRUE(events.gaps.empty());
  feed.begin_reading();
  EXPECT_FALSE(feed.take_missed(RespValue{}, 100, true, {.node = "here"}));
  EXPECT_TRUE(events.gaps.empty()) << "there was nothing";
  feed.begin_reading();
  EXPECT_FALSE(missed({7, 3}, {}, 100, true));
  EXPECT_EQ(events.gaps.size(), 1u);
  EXPECT_FALSE(live(4));
  EXPECT_EQ(heard(), Offsets{4});
}

TEST_F(RedisFeedTest, WaitersAreTakenWhenTheirPlaceIsReachedOrTheirTimeIsOver) {
  EXPECT_FALSE(live(1));
  feed.wait({{7, 3}, Millis(100), [](bool) {}});
  feed.wait({{7, 9}, Millis(50), [](bool) {}});
  EXPECT_TRUE(feed.take_waiters(Millis(0)).empty());
  EXPECT_EQ(feed.take_waiters(Millis(50)).size(), 1u);
  EXPECT_FALSE(live(2));
  EXPECT_FALSE(live(3));
  EXPECT_EQ(feed.take_waiters(Millis(60)).size(), 1u);
  EXPECT_FALSE(feed.waited_for());
}

}  // namespace
}  // namespace carillon
