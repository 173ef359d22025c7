#include "protocol/bayeux/bayeux_events.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace carillon {
namespace {

using bayeux_event::Custom;
using bayeux_event::RemovalReason;

constexpr std::chrono::milliseconds kNoWait{0};
constexpr std::chrono::hours kPatience{1};

// The number in the next event; -1: there is none.
int next_number(BayeuxEventStream& stream, std::chrono::milliseconds wait = kNoWait) {
  const std::optional<BayeuxEvent> event = stream.next(wait);
  return event ? std::any_cast<int>(std::get<Custom>(*event).value) : -1;
}

TEST(BayeuxEvents, EveryListenerHearsEverythingInOrder) {
  BayeuxEvents events;
  const auto one = events.listen(10);
  const auto two = events.listen(10);
  auto client = std::make_shared<const BayeuxClient>(BayeuxClient{.client_id = "c1"});
  events.emit(bayeux_event::Subscribe{client, {"/a", "/b"}});
  events.emit(Custom{1});
  for (const auto& stream : {one, two}) {
    const std::optional<BayeuxEvent> first = stream->next(kNoWait);
    ASSERT_TRUE(first);
    EXPECT_EQ(std::get<bayeux_event::Subscribe>(*first).client, client);
    EXPECT_EQ(std::get<bayeux_event::Subscribe>(*first).channels, (std::vector<std::string>{"/a", "/b"}));
    EXPECT_EQ(next_number(*stream), 1);
    EXPECT_EQ(next_number(*stream), -1);
    EXPECT_FALSE(stream->closed());
  }
}

TEST(BayeuxEvents, ASlowListenerLosesTheOldestAndKnowsHowMany) {
  BayeuxEvents events;
  const auto stream = events.listen(3);
  for (int i = 0; i < 5; ++i) events.emit(Custom{i});
  EXPECT_EQ(stream->take_lost(), 2u);
  EXPECT_EQ(stream->take_lost(), 0u);
  EXPECT_EQ(next_number(*stream), 2);
  events.emit(Custom{5});
  EXPECT_EQ(next_number(*stream), 3);
  EXPECT_EQ(next_number(*stream), 4);
  EXPECT_EQ(next_number(*stream), 5);
}

TEST(BayeuxEvents, AStreamWithoutRoomHoldsOne) {
  BayeuxEvents events;
  const auto stream = events.listen(0);
  events.emit(Custom{1});
  events.emit(Custom{2});
  EXPECT_EQ(next_number(*stream), 2);
  EXPECT_EQ(stream->take_lost(), 1u);
}

TEST(BayeuxEvents, ACopyStandsWhereTheFirstStandsAndGoesOnAlone) {
  BayeuxEvents events;
  const auto first = events.listen(2);
  for (int i = 0; i < 4; ++i) events.emit(Custom{i});
  EXPECT_EQ(next_number(*first), 2);
  const auto second = events.streams()->add_copy(*first);
  events.emit(Custom{4});
  EXPECT_EQ(second->take_lost(), 2u);
  for (const auto& stream : {first, second}) {
    EXPECT_EQ(next_number(*stream), 3);
    EXPECT_EQ(next_number(*stream), 4);
    EXPECT_EQ(next_number(*stream), -1);
  }
}

TEST(BayeuxEvents, TellsWhetherAnybodyListens) {
  BayeuxEvents events;
  EXPECT_FALSE(events.heard());
  auto one = events.listen(1);
  auto two = events.listen(1);
  EXPECT_TRUE(events.heard());
  one.reset();
  events.emit(Custom{1});
  EXPECT_TRUE(events.heard());
  two.reset();
  events.emit(Custom{2});
  EXPECT_FALSE(events.heard());
}

TEST(BayeuxEvents, AfterTheEndOnlyWhatWaitsComes) {
  BayeuxEvents events;
  const auto stream = events.listen(10);
  events.emit(Custom{1});
  events.close();
  events.emit(Custom{2});
  EXPECT_TRUE(stream->closed());
  EXPECT_EQ(next_number(*stream, kPatience), 1);
  EXPECT_EQ(next_number(*stream, kPatience), -1);
  EXPECT_TRUE(events.listen(10)->closed());
  EXPECT_FALSE(events.heard());
}

TEST(BayeuxEvents, StreamsOutliveThem) {
  auto events = std::make_unique<BayeuxEvents>();
  const auto stream = events->listen(10);
  const auto streams = events->streams();
  events->emit(Custom{1});
  events.reset();
  EXPECT_TRUE(stream->closed());
  const auto copy = streams->add_copy(*stream);
  EXPECT_TRUE(copy->closed());
  EXPECT_EQ(next_number(*copy, kPatience), 1);
  EXPECT_EQ(next_number(*stream, kPatience), 1);
}

TEST(BayeuxEvents, ListenersWaitWhileOthersEmitAndClose) {
  BayeuxEvents events;
  const auto stream = events.listen(10'000);
  std::thread other([&events] {
    for (int i = 0; i < 1000; ++i) events.emit(Custom{i});
    events.close();
  });
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(next_number(*stream, std::chrono::milliseconds::max()), i);
  EXPECT_EQ(next_number(*stream, kPatience), -1);
  other.join();
}

TEST(BayeuxRemovalText, EveryReasonHasItsOwn) {
  std::set<std::string_view> texts;
  for (const RemovalReason reason :
       {RemovalReason::kDisconnected, RemovalReason::kExpired, RemovalReason::kRemoved, RemovalReason::kSlow,
        RemovalReason::kIdle, RemovalReason::kTokenExpired, RemovalReason::kShutdown}) {
    EXPECT_TRUE(texts.insert(bayeux_removal_text(reason)).second);
  }
  EXPECT_EQ(bayeux_removal_text(RemovalReason::kTokenExpired), "token_expired");
}

}  // namespace
}  // namespace carillon
