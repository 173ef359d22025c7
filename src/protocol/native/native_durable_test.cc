// Durable subscriptions: remembered while their client is away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "hub/epoch_text.h"
#include "protocol/native/native_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Texts = std::vector<std::string>;

class NativeDurableTest : public testing::Test {
 protected:
  std::unique_ptr<NativeDouble> client(IdentityPtr identity = nullptr) {
    return std::make_unique<NativeDouble>(
        world.shards[0]->frame_memory(), [this] { world.settle(); }, room, std::move(identity));
  }
  void publish(int from, int to) {
    for (int i = from; i < to; ++i) {
      world.hub->publish({.channel = "jobs", .event = "e", .payload = Bytes::copy_of(std::to_string(i))}, [](auto) {});
    }
    world.settle();
  }
  static IdentityPtr user(std::string name) {
    return std::make_shared<const Identity>(Identity{.user = std::move(name), .verified = true});
  }
  std::string epoch() {
    std::string text;
    world.hub->history({.channel = "jobs"}, [&](Result<HistoryPage> page) { text = epoch_text(page->top->epoch); });
    return text;
  }
  std::string ack(int offset) {
    return R"({"type":"ack","channel":"jobs","durable":"laptop","epoch":")" + epoch() + R"(","offset":)" +
           std::to_string(offset) + R"(,"id":9})";
  }

  static constexpr const char* kSubscribe = R"({"type":"subscribe","channel":"jobs","durable":"laptop","id":1})";

  World world{World::Options{.loops = 2}};
  NativeRoom room{
      *world.shards[0], world.durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, {}, {}, "t"};
};

TEST_F(NativeDurableTest, WhatWasNotAcknowledgedComesWhenItsClientComesBack) {
  publish(0, 2);
  auto first = client();
  EXPECT_THAT(first->say(kSubscribe), ElementsAre(HasSubstr(R"("offset":2,"durable":"laptop")")));
  publish(2, 5);
  EXPECT_EQ(first->hear().size(), 3u);
  EXPECT_THAT(first->say(ack(3)), ElementsAre(R"({"type":"acked","channel":"jobs","durable":"laptop","id":9})"));
  first.reset();
  publish(5, 7);

  auto second = client();
  const Texts heard = second->say(kSubscribe);
  ASSERT_EQ(heard.size(), 5u);
  EXPECT_THAT(heard[0], HasSubstr(R"("recovered":true,"durable":"laptop")"));
  EXPECT_THAT(heard[1], HasSubstr(R"("data":3)"));
  EXPECT_THAT(heard[4], HasSubstr(R"("data":6)"));
  publish(7, 8);
  EXPECT_THAT(second->hear(), ElementsAre(HasSubstr(R"("data":7)")));
}

TEST_F(NativeDurableTest, WithoutAnyAcknowledgementItGoesOnFromItsBeginning) {
  publish(0, 2);
  client()->say(kSubscribe);
  publish(2, 4);
  EXPECT_EQ(client()->say(kSubscribe).size(), 3u);
}

TEST_F(NativeDurableTest, ResumeBringsAllThatIsRemembered) {
  auto first = client();
  first->say(kSubscribe);
  first->say(R"({"type":"subscribe","channel":"other","durable":"laptop"})");
  first.reset();
  publish(0, 2);
  auto second = client();
  const Texts heard = second->say(R"({"type":"resume","durable":"laptop","id":4})");
  ASSERT_EQ(heard.size(), 5u);
  EXPECT_EQ(heard[0], R"({"type":"resumed","durable":"laptop","id":4,"channels":["jobs","other"]})");
  EXPECT_EQ(client()->say(R"({"type":"resume","durable":"unknown"})"),
            Texts{R"({"type":"resumed","durable":"unknown","channels":[]})"});
}

TEST_F(NativeDurableTest, ForgetEndsIt) {
  auto first = client();
  first->say(kSubscribe);
  EXPECT_THAT(first->say(R"({"type":"forget","channel":"jobs","durable":"laptop","id":2})"),
              ElementsAre(R"({"type":"forgotten","channel":"jobs","durable":"laptop","id":2})"));
  EXPECT_THAT(first->say(R"({"type":"forget","channel":"jobs","durable":"laptop","id":2})"),
              ElementsAre(HasSubstr("not_found")));
  first.reset();
  publish(0, 3);
  EXPECT_EQ(client()->say(kSubscribe).size(), 1u) << "it is a new one";
}

TEST_F(NativeDurableTest, NamesBelongToTheirUser) {
  client(user("alice"))->say(kSubscribe);
  publish(0, 3);
  EXPECT_EQ(client(user("bob"))->say(kSubscribe).size(), 1u);
  EXPECT_EQ(client()->say(kSubscribe).size(), 1u);
  EXPECT_EQ(client(user("alice"))->say(kSubscribe).size(), 4u);
}

TEST_F(NativeDurableTest, ItExpires) {
  client()->say(R"({"type":"subscribe","channel":"jobs","durable":"laptop","expires_s":60})");
  publish(0, 3);
  world.clock.now_ms += 61'000;
  EXPECT_EQ(client()->say(kSubscribe).size(), 1u);
}

TEST_F(NativeDurableTest, WhatIsWrongIsSaid) {
  auto one = client();
  for (const char* const wrong :
       {R"({"type":"subscribe","channel":"jobs","durable":""})", R"({"type":"subscribe","channel":"jobs","durable":7})",
        R"({"type":"subscribe","channel":"jobs","durable":"a","expires_s":0})",
        R"({"type":"subscribe","channel":"jobs","durable":"a","group":"g"})",
        R"({"type":"subscribe","channel":"jobs","durable":"a","presence":true})", R"({"type":"resume"})",
        R"({"type":"ack","channel":"jobs","durable":"a","offset":1})"}) {
    EXPECT_THAT(one->say(wrong), ElementsAre(HasSubstr(R"("type":"error")"))) << wrong;
  }
}

TEST_F(NativeDurableTest, AnAnswerThatComesTooLateFindsNobody) {
  World late({.loops = 1, .late = true});
  NativeRoom late_room{
      *late.shards[0], late.durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, {}, {}, "t"};
  auto gone = std::make_unique<NativeDouble>(
      late.shards[0]->frame_memory(), [&] { late.settle(); }, late_room, nullptr);
  gone->send(kSubscribe);
  gone.reset();
  late.settle();
}

}  // namespace
}  // namespace carillon
