#include "hub/expiry_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ExpiryListTest : public testing::Test {
 protected:
  // The loop's time and the calendar's, together.
  void pass(std::int64_t ms) {
    for (; ms > 0; --ms) {
      ++clock_.now_ms;
      loop_.advance(Millis{1});
    }
  }
  std::int64_t in(std::int64_t ms) const { return clock_.unix_ms() + ms; }

  ManualLoop loop_;
  FixedClock clock_;
  std::vector<SessionId> expired_;
  ExpiryList list_{loop_, clock_, [this](SessionId session) { expired_.push_back(session); }};
};

TEST_F(ExpiryListTest, EachExpiresAtItsTime) {
  list_.add(1, in(300));
  list_.add(2, in(100));
  list_.add(3, in(100));
  pass(99);
  EXPECT_THAT(expired_, IsEmpty());
  pass(1 + TimerWheel::kTick.count());
  EXPECT_THAT(expired_, ElementsAre(2, 3));
  pass(200);
  EXPECT_THAT(expired_, ElementsAre(2, 3, 1));
  EXPECT_EQ(list_.size(), 0u);
}

TEST_F(ExpiryListTest, WhoHasLeftDoesNotExpire) {
  const std::int64_t soon = in(100);
  list_.add(1, soon);
  list_.add(2, soon);
  list_.remove(1, soon);
  list_.remove(9, soon);
  pass(200);
  EXPECT_THAT(expired_, ElementsAre(2));
  list_.add(3, in(100));
  list_.remove(3, in(100));
  EXPECT_EQ(list_.size(), 0u);
  pass(200);
  EXPECT_THAT(expired_, ElementsAre(2));
}

TEST_F(ExpiryListTest, ACalendarThatIsSetIsNoticed) {
  list_.add(1, in(3'600'000));
  clock_.now_ms += 3'600'000;
  loop_.advance(ExpiryList::kLookAgain + TimerWheel::kTick);
  EXPECT_THAT(expired_, ElementsAre(1));
  list_.add(2, in(1'000));
  clock_.now_ms -= 60'000;
  loop_.advance(Millis{2'000});
  EXPECT_THAT(expired_, ElementsAre(1)) << "the calendar was set back";
  pass(60'000 - 1);
  EXPECT_THAT(expired_, ElementsAre(1));
  pass(1'000 + TimerWheel::kTick.count());
  EXPECT_THAT(expired_, ElementsAre(1, 2));
}

// The hub's sessions are in it as long as they live.

std::unique_ptr<FakeClient> expiring_client(World& world, std::int64_t at_ms) {
  const auto identity = std::make_shared<const Identity>(Identity{.user = "alice", .verified = true, .expires_at_ms = at_ms});
  auto client = std::make_unique<FakeClient>(*world.shards[0], world.encodings[0], identity);
  client->then_on_end_wanted = [client = client.get()] { client->session.end(EndReason::kExpired); };
  return client;
}

TEST(Expiry, ASessionEndsWithItsIdentity) {
  World world({.loops = 1});
  const auto forever = world.client();
  const auto brief = expiring_client(world, world.clock.unix_ms() + 50);
  const auto longer = expiring_client(world, world.clock.unix_ms() + 5'000);
  auto gone = expiring_client(world, world.clock.unix_ms() + 50);
  gone.reset();
  brief->hear("room:42");
  world.clock.now_ms += 60;
  world.loops[0]->advance(Millis{60});
  EXPECT_THAT(brief->end_wanted, ElementsAre(EndReason::kExpired));
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
  EXPECT_THAT(longer->end_wanted, IsEmpty());
  world.clock.now_ms += 5'000;
  world.loops[0]->advance(Millis{5'000});
  EXPECT_THAT(longer->end_wanted, ElementsAre(EndReason::kExpired));
  EXPECT_THAT(forever->end_wanted, IsEmpty());
}

TEST(Expiry, APublicationKeepsTheUserWithoutTheClaims) {
  World world({.loops = 1});
  const auto identity = std::make_shared<const Identity>(
      Identity{.user = "alice", .verified = true, .claims = std::make_shared<const std::string>(R"({"sub":"alice"})")});
  FakeClient client(*world.shards[0], world.encodings[0], identity);
  const auto listener = world.hub->listen();
  world.in(0, [&] { client.publish("room:42", "1"); });
  const auto heard = listener->next(std::chrono::milliseconds(0));
  ASSERT_NE(heard, nullptr);
  EXPECT_EQ(heard->identity->user, "alice");
  EXPECT_TRUE(heard->identity->verified);
  EXPECT_EQ(heard->identity->claims, nullptr);
}

}  // namespace
}  // namespace carillon
