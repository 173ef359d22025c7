#include "hub/topic_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/uuid_text.h"
#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;

constexpr Millis kHour{3'600'000};

Uuid id_of(unsigned char number) {
  Uuid id;
  id.bytes.back() = number;
  return id;
}

class TopicDirectoryTest : public ::testing::Test {
 protected:
  TopicDirectoryTest() { watcher->hear("topics"); }

  Result<Topic> create(unsigned char number, std::string name) {
    Result<Topic> created = Error{};
    topics.create({.id = id_of(number), .name = std::move(name), .creator = "alice"},
                  [&](Result<Topic> outcome) { created = std::move(outcome); });
    world.settle();
    return created;
  }
  bool ensure(unsigned char number) {
    bool made = false;
    topics.ensure({.id = id_of(number), .name = "made", .creator = "bob"}, kHour,
                  [&](Result<bool> outcome) { made = *outcome; });
    world.settle();
    return made;
  }
  std::optional<Topic> read(unsigned char number) {
    std::optional<Topic> topic;
    topics.read(id_of(number), [&](Result<std::optional<Topic>> outcome) { topic = *outcome; });
    return topic;
  }
  bool is_known(unsigned char number) {
    bool known = false;
    topics.is_known(id_of(number), [&](Result<bool> outcome) { known = *outcome; });
    return known;
  }
  bool remove(unsigned char number) {
    bool had = false;
    topics.remove(*world.loops[0], id_of(number), [&](Result<bool> outcome) { had = *outcome; });
    world.settle();
    return had;
  }
  void subscribe(const std::string& who, unsigned char number) {
    subscriptions.keep(who, {topic_channel(id_of(number)), {}}, kHour, [](const Result<void>& kept) { EXPECT_TRUE(kept); });
  }
  void unsubscribe(const std::string& who, unsigned char number) {
    subscriptions.forget(who, topic_channel(id_of(number)), [](const Result<bool>&) {});
    topics.on_unsubscribed(id_of(number), [](const Result<void>& outcome) { EXPECT_TRUE(outcome); });
    world.settle();
  }
  // What those who watch were told since the last call.
  std::vector<std::string> told() {
    world.settle();
    std::vector<std::string> all = watcher->payloads();
    watcher->messages.clear();
    return all;
  }

  World world;
  DurableSubscriptions subscriptions{world.engine.state(), world.clock};
  TopicDirectory topics{*world.hub, subscriptions, [](const Topic& topic, TopicChange change) {
                          return '"' + std::string(topic_event(change)) + ' ' + topic.name + '"';
                        }};
  std::unique_ptr<FakeClient> watcher = world.client();
};

TEST_F(TopicDirectoryTest, ATopicIsCreatedReadListedAndRemoved) {
  const Result<Topic> created = create(1, "weather \"today\"");
  ASSERT_TRUE(created);
  EXPECT_EQ(created->created_ms, world.clock.unix_ms());
  EXPECT_TRUE(created->lasting);
  EXPECT_EQ(read(1), *created);
  EXPECT_TRUE(is_known(1));
  EXPECT_FALSE(is_known(2));
  ASSERT_TRUE(create(2, "two"));
  ASSERT_TRUE(create(3, "three"));
  std::vector<std::string> names;
  topics.list(id_of(1), 1, [&](const Result<std::vector<Topic>>& page) {
    for (const Topic& topic : *page) names.push_back(topic.name);
  });
  EXPECT_THAT(names, ElementsAre("two"));
  EXPECT_TRUE(remove(1));
  EXPECT_FALSE(remove(1));
  EXPECT_FALSE(read(1));
  EXPECT_THAT(told(), ElementsAre("\"topic_created weather \"today\"\"", "\"topic_created two\"", "\"topic_created three\"",
                                  "\"topic_removed weather \"today\"\""));
}

TEST_F(TopicDirectoryTest, NamesAreCheckedAndIdsAreUsedOnce) {
  for (const std::string& name : {std::string(), std::string("a\nb"), std::string("\xff"), std::string(256, 'a')}) {
    EXPECT_EQ(create(1, name).error().kind, ErrorKind::kInvalid);
  }
  EXPECT_TRUE(create(1, std::string(255, 'a')));
  EXPECT_EQ(create(1, "again").error().kind, ErrorKind::kConflict);
}

TEST_F(TopicDirectoryTest, RemovingATopicRemovesWhatItKeptAndItsSubscriptions) {
  ASSERT_TRUE(create(1, "one"));
  const std::string channel = topic_channel(id_of(1));
  const auto listener = world.client(1);
  listener->hear(channel);
  subscribe("a", 1);
  world.publish(channel, "1");
  world.settle();
  EXPECT_TRUE(remove(1));
  EXPECT_THAT(listener->unsubscribed, ElementsAre(channel + " the topic was removed"));
  EXPECT_FALSE(is_known(1));
  std::size_t kept = 1;
  world.hub->history({.channel = channel}, [&](const Result<HistoryPage>& page) { kept = page->publications.size(); });
  EXPECT_EQ(kept, 0u);
}

TEST_F(TopicDirectoryTest, WhatASubscriptionMadeGoesWithTheLastSubscriber) {
  EXPECT_TRUE(ensure(1));
  subscribe("a", 1);
  EXPECT_FALSE(ensure(1));
  subscribe("b", 1);
  unsubscribe("a", 1);
  EXPECT_TRUE(read(1));
  unsubscribe("b", 1);
  EXPECT_FALSE(is_known(1));
  EXPECT_THAT(told(), ElementsAre("\"topic_created made\"", "\"topic_removed made\""));

  ASSERT_TRUE(create(2, "two"));
  EXPECT_FALSE(ensure(2));
  subscribe("a", 2);
  unsubscribe("a", 2);
  EXPECT_TRUE(read(2));
}

TEST_F(TopicDirectoryTest, WhatASubscriptionMadeExpiresUnlessItIsUsed) {
  ensure(1);
  ASSERT_TRUE(create(2, "two"));
  world.clock.now_ms += kHour.count() - 1;
  EXPECT_FALSE(ensure(1));
  world.clock.now_ms += kHour.count() - 1;
  EXPECT_TRUE(is_known(1));
  world.clock.now_ms += 1;
  EXPECT_FALSE(is_known(1));
  EXPECT_TRUE(is_known(2));
  subscribe("a", 1);
  EXPECT_TRUE(is_known(1));  // Whoever has subscribed is enough.
}

TEST_F(TopicDirectoryTest, AMadeTopicBecomesALastingOne) {
  ensure(1);
  ASSERT_TRUE(create(1, "named"));
  world.clock.now_ms += 10 * kHour.count();
  ASSERT_TRUE(read(1));
  EXPECT_EQ(read(1)->name, "named");
}

TEST_F(TopicDirectoryTest, OnlyTheNamesOfTopicsChannelsAreTaken) {
  EXPECT_EQ(topic_of_channel(topic_channel(id_of(7))), id_of(7));
  for (const char* const channel : {"log:", "log:x", "room:00112233-4455-6677-8899-aabbccddeeff",
                                    "log:00112233-4455-6677-8899-AABBCCDDEEFF", "log:00112233445566778899aabbccddeeff"}) {
    EXPECT_FALSE(topic_of_channel(channel)) << channel;
  }
}

}  // namespace
}  // namespace carillon
