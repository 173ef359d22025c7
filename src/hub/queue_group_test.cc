#include "hub/queue_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Millis kVisible{1000};
constexpr std::int64_t kUnix = 1'700'000'000'000;

class QueueGroupTest : public ::testing::Test {
 protected:
  QueueGroupTest() { group.see_top(5); }

  static GroupSettings settings(std::uint32_t deliveries_max = 3) {
    return {.visibility = kVisible, .deliveries_max = deliveries_max, .dead_letter = "jobs/dead"};
  }
  void join(GroupMember member, std::size_t most = 10) { group.join(member, QueueGroup::Kind::kMember, most); }
  // "member:offset.attempt", in the order of delivery.
  std::vector<std::string> deliver() {
    std::vector<std::string> told;
    for (const QueueGroup::Delivery& delivery : group.deliver(now)) {
      tokens[delivery.token.offset] = delivery.token;
      told.push_back(std::to_string(delivery.member) + ':' + std::to_string(delivery.token.offset) + '.' +
                     std::to_string(delivery.token.attempt));
    }
    return told;
  }
  std::vector<std::string> dead() {
    std::vector<std::string> told;
    for (const QueueGroup::DeadLetter& letter : group.take_dead()) {
      told.push_back(std::to_string(letter.offset) + " after " + std::to_string(letter.attempts) + ' ' +
                     return_reason_name(letter.reason));
    }
    return told;
  }
  void restart(std::int64_t away_ms = 0) {
    const std::string text = group.serialise(now, kUnix);
    now = Millis(7);
    Result<QueueGroup> read = QueueGroup::parse(text, 2, now, kUnix + away_ms);
    ASSERT_TRUE(read);
    group = *std::move(read);
  }

  Millis now{100'000};
  QueueGroup group{settings(), {.epoch = 9, .offset = 0}, 1};
  std::map<std::uint64_t, DeliveryToken> tokens;  // The last by offset.
};

TEST_F(QueueGroupTest, SharesInOrderTheLeastLoadedFirst) {
  join(1, 2);
  join(2, 2);
  EXPECT_THAT(deliver(), ElementsAre("1:1.1", "2:2.1", "1:3.1", "2:4.1"));
  EXPECT_THAT(deliver(), IsEmpty());
  EXPECT_TRUE(group.ack(tokens[3]));
  EXPECT_THAT(deliver(), ElementsAre("1:5.1"));
  EXPECT_EQ(group.cursor().offset, 0u);
  EXPECT_TRUE(group.ack(tokens[1]));
  EXPECT_EQ(group.cursor().offset, 1u);
  EXPECT_TRUE(group.ack(tokens[2]));
  EXPECT_EQ(group.cursor().offset, 3u);
  EXPECT_EQ(group.lag(), 2u);
}

TEST_F(QueueGroupTest, WhatIsNotAcknowledgedInTimeIsDeliveredAgainAndTheOldDeliveryCountsNoMore) {
  join(1, 1);
  EXPECT_THAT(deliver(), ElementsAre("1:1.1"));
  const DeliveryToken first = tokens[1];
  now += kVisible - Millis(1);
  EXPECT_THAT(deliver(), IsEmpty());
  EXPECT_EQ(group.next_time(), now + Millis(1));
  now += Millis(1);
  EXPECT_THAT(deliver(), ElementsAre("1:1.2"));
  EXPECT_FALSE(group.ack(first));
  EXPECT_FALSE(group.nack(first, now, Millis(0)));
  EXPECT_FALSE(group.extend(first, now, kVisible));
  EXPECT_TRUE(group.ack(tokens[1]));
  EXPECT_FALSE(group.ack(tokens[1]));
}

TEST_F(QueueGroupTest, ALateAckCountsWhileNobodyElseWasGivenIt) {
  join(1, 1);
  deliver();
  group.leave(1, now);
  now += 5 * kVisible;
  EXPECT_THAT(deliver(), IsEmpty());
  EXPECT_TRUE(group.ack(tokens[1]));
  join(2, 1);
  EXPECT_THAT(deliver(), ElementsAre("2:2.1"));
}

TEST_F(QueueGroupTest, ANackComesBackAfterItsDelay) {
  join(1, 1);
  deliver();
  EXPECT_TRUE(group.nack(tokens[1], now, Millis(500)));
  EXPECT_THAT(deliver(), ElementsAre("1:2.1"));
  EXPECT_TRUE(group.ack(tokens[2]));
  now += Millis(500);
  EXPECT_THAT(deliver(), ElementsAre("1:1.2"));
  EXPECT_TRUE(group.nack(tokens[1], now, Millis(0)));
  EXPECT_THAT(deliver(), ElementsAre("1:1.3"));
}

TEST_F(QueueGroupTest, ExtendingKeepsADelivery) {
  join(1, 1);
  deliver();
  now += Millis(900);
  EXPECT_TRUE(group.extend(tokens[1], now, Millis(5000)));
  now += Millis(4999);
  EXPECT_THAT(deliver(), IsEmpty());
  now += Millis(1);
  EXPECT_THAT(deliver(), ElementsAre("1:1.2"));
}

TEST_F(QueueGroupTest, WhoLeavesGivesEverythingBack) {
  join(1, 3);
  EXPECT_THAT(deliver(), ElementsAre("1:1.1", "1:2.1", "1:3.1"));
  EXPECT_TRUE(group.ack(tokens[2]));
  join(2, 9);
  group.leave(1, now);
  EXPECT_THAT(deliver(), ElementsAre("2:1.2", "2:3.2", "2:4.1", "2:5.1"));
  EXPECT_EQ(group.in_flight(), 4u);
}

TEST_F(QueueGroupTest, ATakerKeepsWhatItTookAlthoughItLeaves) {
  group.join(7, QueueGroup::Kind::kTaker, 2);
  EXPECT_THAT(deliver(), ElementsAre("7:1.1", "7:2.1"));
  EXPECT_TRUE(group.ack(tokens[1]));
  EXPECT_THAT(deliver(), IsEmpty()) << "it wanted two";
  group.leave(7, now);
  join(1, 9);
  EXPECT_THAT(deliver(), ElementsAre("1:3.1", "1:4.1", "1:5.1"));
  now += kVisible;
  EXPECT_THAT(deliver(), ElementsAre("1:2.2", "1:3.2", "1:4.2", "1:5.2"));
}

TEST_F(QueueGroupTest, AfterTheLastDeliveryItIsDead) {
  join(1, 1);
  for (int i = 0; i < 3; ++i) {
    deliver();
    EXPECT_THAT(dead(), IsEmpty());
    EXPECT_TRUE(group.nack(tokens[1], now, Millis(500)));
    now += Millis(500);
  }
  EXPECT_THAT(dead(), ElementsAre("1 after 3 nacked"));
  EXPECT_EQ(group.cursor().offset, 0u) << "not before it is buried";
  EXPECT_FALSE(group.ack(tokens[1]));
  group.revive(1);
  EXPECT_THAT(dead(), ElementsAre("1 after 3 nacked"));
  group.bury(1);
  EXPECT_EQ(group.cursor().offset, 1u);
  EXPECT_EQ(group.totals().dead, 1u);
}

TEST_F(QueueGroupTest, WithoutALimitItIsNeverDead) {
  group = QueueGroup(settings(0), {.epoch = 9, .offset = 4}, 1);
  group.see_top(5);
  join(1, 1);
  for (int i = 1; i < 50; ++i) {
    EXPECT_THAT(deliver(), ElementsAre("1:5." + std::to_string(i)));
    now += kVisible;
  }
  EXPECT_THAT(dead(), IsEmpty());
}

TEST_F(QueueGroupTest, ADeliveryThatWasUndoneDoesNotCount) {
  join(1, 1);
  deliver();
  group.undo(tokens[1], now);
  EXPECT_EQ(group.in_flight(), 0u);
  EXPECT_THAT(deliver(), ElementsAre("1:1.1"));
  EXPECT_EQ(group.totals().delivered, 1u);
}

TEST_F(QueueGroupTest, WhatRetentionTookIsLostAndCounted) {
  join(1, 2);
  deliver();
  EXPECT_TRUE(group.nack(tokens[1], now, Millis(10)));
  group.lose_before(5);
  EXPECT_EQ(group.totals().lost, 3u) << "1 waits, 3 and 4 were never delivered; 2 is with its member";
  EXPECT_TRUE(group.ack(tokens[2]));
  EXPECT_THAT(deliver(), ElementsAre("1:5.1"));
  group.lose(5);
  EXPECT_EQ(group.totals().lost, 4u);
  EXPECT_EQ(group.lag(), 0u);
}

TEST_F(QueueGroupTest, InFlightIsBounded) {
  group.see_top(20'000);
  join(1, 50'000);
  EXPECT_EQ(group.deliver(now).size(), QueueGroup::kUnsettledMax);
  EXPECT_TRUE(group.ack({1, 77, 1}));
  EXPECT_THAT(deliver(), ElementsAre("1:10001.1"));
}

TEST_F(QueueGroupTest, ARestartKeepsCountsAndDelays) {
  join(1, 3);
  deliver();
  EXPECT_TRUE(group.nack(tokens[1], now, Millis(400)));
  EXPECT_TRUE(group.ack(tokens[2]));
  const DeliveryToken third = tokens[3];
  restart(100);
  group.see_top(5);
  EXPECT_EQ(group.settings(), settings());
  EXPECT_EQ(group.in_flight(), 0u);
  join(2, 1);
  EXPECT_THAT(deliver(), ElementsAre("2:3.2"));
  EXPECT_FALSE(group.ack(third));
  EXPECT_TRUE(group.ack(tokens[3]));
  EXPECT_THAT(deliver(), ElementsAre("2:4.1"));
  EXPECT_TRUE(group.ack(tokens[4]));
  EXPECT_THAT(deliver(), ElementsAre("2:5.1"));
  EXPECT_TRUE(group.ack(tokens[5]));
  now += Millis(299);
  EXPECT_THAT(deliver(), IsEmpty());
  now += Millis(1);
  EXPECT_THAT(deliver(), ElementsAre("2:1.2"));
}

TEST_F(QueueGroupTest, WhatATakerHasStaysWithItOverARestart) {
  group.join(7, QueueGroup::Kind::kTaker, 1);
  deliver();
  restart(400);
  join(1, 1);
  EXPECT_THAT(deliver(), IsEmpty());
  EXPECT_TRUE(group.ack(tokens[1])) << "nobody else was given it";
  group = QueueGroup(settings(), {.epoch = 9, .offset = 0}, 1);
  now = Millis(100'000);
  group.see_top(1);
  group.join(7, QueueGroup::Kind::kTaker, 1);
  deliver();
  restart(400);
  join(1, 1);
  now += Millis(600);
  EXPECT_THAT(deliver(), ElementsAre("1:1.2"));
}

TEST_F(QueueGroupTest, ARestartInTheLastDeliveryIsAReturn) {
  join(1, 1);
  for (int i = 0; i < 2; ++i) {
    deliver();
    EXPECT_TRUE(group.nack(tokens[1], now, Millis(0)));
  }
  EXPECT_THAT(deliver(), ElementsAre("1:1.3"));
  restart();
  EXPECT_THAT(dead(), ElementsAre("1 after 3 restarted"));
  group.bury(1);
  EXPECT_EQ(group.cursor().offset, 1u);
}

TEST_F(QueueGroupTest, AnotherEpochLosesWhatWasNotSettledAndItsTokens) {
  join(1, 2);
  deliver();
  group.begin_epoch(10, 1);
  EXPECT_EQ(group.totals().lost, 5u);
  EXPECT_EQ(group.cursor(), (Position{10, 0}));
  EXPECT_FALSE(group.ack(tokens[1]));
  const DeliveryToken old = tokens[1];
  group.see_top(1);
  EXPECT_THAT(deliver(), ElementsAre("1:1.1"));
  EXPECT_FALSE(group.ack(old));
  EXPECT_TRUE(group.ack(tokens[1]));
}

TEST_F(QueueGroupTest, AChannelThatLostItsEndTakesTheCursorBack) {
  join(1, 4);
  deliver();
  EXPECT_TRUE(group.ack(tokens[3]));
  restart();
  EXPECT_EQ(group.cut_back(2), 2u);
  EXPECT_EQ(group.lag(), 2u);
  group.see_top(3);
  join(1, 9);
  EXPECT_THAT(deliver(), ElementsAre("1:1.2", "1:2.2", "1:3.1"));
}

TEST(QueueGroupState, DamageIsFound) {
  QueueGroup group({.visibility = kVisible, .deliveries_max = 3, .dead_letter = "d"}, {.epoch = 1, .offset = 1000}, 5);
  group.see_top(1200);
  group.join(1, QueueGroup::Kind::kMember, 100);
  group.deliver(Millis(1));
  const std::string text = group.serialise(Millis(1), kUnix);
  EXPECT_LT(text.size(), 100u * 8) << "a few bytes for each";
  EXPECT_TRUE(QueueGroup::parse(text, 6, Millis(1), kUnix));
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(QueueGroup::parse(text.substr(0, size), 6, Millis(1), kUnix)) << size;
  }
  EXPECT_FALSE(QueueGroup::parse(text + 'x', 6, Millis(1), kUnix));
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    std::string damaged = text;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    static_cast<void>(QueueGroup::parse(damaged, 6, Millis(1), kUnix));
  }
}

TEST(DeliveryTokens, AreReadAsTheyWereWritten) {
  for (const DeliveryToken& token : {DeliveryToken{1, 1, 1}, DeliveryToken{UINT64_MAX, UINT64_MAX, UINT32_MAX}}) {
    EXPECT_EQ(parse_token(token_text(token)), token);
    EXPECT_LE(token_text(token).size(), 60u);
  }
  for (const char* text : {"", "1", "1-1", "1-1-0", "1-1-1-", "1-1-1x!", "-1-1-1", "1--1", "1-1-", "zzzzzzzzzzzzzzzzz-1-1"}) {
    EXPECT_FALSE(parse_token(text)) << text;
  }
}

// Random events against an oracle that knows only the rules: who holds what, and what was settled.
class GroupModel {
 public:
  explicit GroupModel(unsigned seed) : random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (::testing::Test::HasFailure()) return;
    }
    finish();
  }

 private:
  struct Held {
    GroupMember member;
    bool taker;
    DeliveryToken token;
    Millis until;
  };

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

  void step() {
    switch (below(12)) {
      case 0:
      case 1: group_.see_top(top_ += below(4)); break;
      case 2: join(); break;
      case 3: leave(); break;
      case 4:
      case 5:
      case 6: settle(); break;
      case 7: late(); break;
      case 8: now_ += Millis(below(400)); break;
      case 9: bury(); break;
      case 10:
        if (below(10) == 0) restart();
        break;
      default: break;
    }
    deliver();
  }

  void join() {
    if (rooms_.size() > 6) return;
    const GroupMember member = ++last_;
    const bool taker = below(3) == 0;
    rooms_[member] = {taker, 1 + below(4)};
    group_.join(member, taker ? QueueGroup::Kind::kTaker : QueueGroup::Kind::kMember, rooms_[member].second);
  }

  void leave() {
    if (rooms_.empty()) return;
    const auto room = std::next(rooms_.begin(), below(static_cast<unsigned>(rooms_.size())));
    group_.leave(room->first, now_);
    std::erase_if(held_, [&](const auto& entry) { return !entry.second.taker && entry.second.member == room->first; });
    rooms_.erase(room);
  }

  void expire() {
    std::erase_if(held_, [&](const auto& entry) { return entry.second.until <= now_; });
  }

  void deliver() {
    expire();
    for (const QueueGroup::Delivery& delivery : group_.deliver(now_)) {
      const std::uint64_t offset = delivery.token.offset;
      ASSERT_TRUE(rooms_.contains(delivery.member));
      ASSERT_FALSE(held_.contains(offset)) << "with two at a time: " << offset;
      ASSERT_FALSE(settled_.contains(offset)) << "settled: " << offset;
      ASSERT_LE(offset, top_);
      ASSERT_EQ(delivery.token.attempt, ++attempts_[offset]);
      ASSERT_LE(delivery.token.attempt, 3u);
      if (delivery.token.attempt == 1) {
        ASSERT_EQ(offset, ++first_) << "first deliveries come in order";
      }
      held_[offset] = {delivery.member, rooms_[delivery.member].first, delivery.token, now_ + kVisible};
      old_.push_back(delivery.token);
    }
    std::map<GroupMember, std::size_t> load;
    for (const auto& [offset, held] : held_) load[held.member] += held.taker ? 0 : 1;
    for (const auto& [member, room] : rooms_) ASSERT_LE(load[member], room.second);
    ASSERT_EQ(group_.in_flight(), held_.size());
  }

  void settle() {
    if (held_.empty()) return;
    const auto found = std::next(held_.begin(), below(static_cast<unsigned>(held_.size())));
    const Held held = found->second;
    switch (below(4)) {
      case 0:
        ASSERT_TRUE(group_.nack(held.token, now_, Millis(below(2) * below(500))));
        held_.erase(found);
        break;
      case 1:
        ASSERT_TRUE(group_.extend(held.token, now_, Millis(1 + below(3000))));
        // The oracle learns the deadline by letting it pass.
        ASSERT_TRUE(group_.extend(held.token, now_, kVisible));
        found->second.until = now_ + kVisible;
        break;
      default:
        ASSERT_TRUE(group_.ack(held.token));
        settled_.insert(found->first);
        held_.erase(found);
    }
  }

  // Any token ever given: it counts only if it is the last of its offset and that is not settled.
  void late() {
    if (old_.empty()) return;
    const DeliveryToken token = old_[below(static_cast<unsigned>(old_.size()))];
    const bool last = attempts_[token.offset] == token.attempt && !settled_.contains(token.offset);
    const bool held = held_.contains(token.offset) && held_.at(token.offset).token == token;
    const bool counts = group_.ack(token);
    ASSERT_TRUE(counts || !held);
    ASSERT_TRUE(last || !counts);
    if (!counts) return;
    held_.erase(token.offset);
    settled_.insert(token.offset);
  }

  void bury() {
    for (const QueueGroup::DeadLetter& dead : group_.take_dead()) {
      ASSERT_EQ(dead.attempts, 3u);
      ASSERT_FALSE(held_.contains(dead.offset));
      if (below(3) == 0) {
        group_.revive(dead.offset);
        continue;
      }
      group_.bury(dead.offset);
      ASSERT_TRUE(settled_.insert(dead.offset).second);
    }
  }

  void restart() {
    const std::string text = group_.serialise(now_, kUnix);
    Result<QueueGroup> read = QueueGroup::parse(text, ++generation_, now_, kUnix);
    ASSERT_TRUE(read);
    group_ = *std::move(read);
    group_.see_top(top_);
    rooms_.clear();
    held_.clear();
    // What takers have is with them still, and nobody is told: let their time pass.
    now_ += kVisible;
  }

  // Everybody works properly from here on: all is settled.
  void finish() {
    join();
    for (int i = 0; i < 100'000 && settled_.size() < top_; ++i) {
      if (rooms_.empty()) join();
      now_ += Millis(50);
      deliver();
      if (::testing::Test::HasFailure()) return;
      while (!held_.empty()) {
        ASSERT_TRUE(group_.ack(held_.begin()->second.token));
        settled_.insert(held_.begin()->first);
        held_.erase(held_.begin());
      }
      std::erase_if(rooms_, [&](const auto& room) {
        if (room.second.first) group_.leave(room.first, now_);
        return room.second.first;
      });
      bury();
    }
    EXPECT_EQ(settled_.size(), top_);
    EXPECT_EQ(group_.cursor().offset, top_);
    EXPECT_EQ(group_.lag(), 0u);
    EXPECT_EQ(group_.totals().acked + group_.totals().dead, top_);
  }

  std::mt19937 random_;
  Millis now_{1000};
  std::uint64_t generation_ = 1;
  QueueGroup group_{{.visibility = kVisible, .deliveries_max = 3, .dead_letter = "d"}, {.epoch = 1, .offset = 0}, 1};
  std::uint64_t top_ = 0, first_ = 0;
  GroupMember last_ = 0;
  std::map<GroupMember, std::pair<bool, std::size_t>> rooms_;  // Whether it is a taker, and its room.
  std::map<std::uint64_t, Held> held_;
  std::map<std::uint64_t, std::uint32_t> attempts_;
  std::set<std::uint64_t> settled_;
  std::vector<DeliveryToken> old_;
};

TEST(QueueGroupModel, EveryPublicationIsSettledOnceAndWithOneMemberAtATime) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GroupModel(seed).run(2000);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace carillon
