#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "hub/epoch_text.h"
#include "protocol/native/native_double.h"
#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class GroupClient : public NativeDouble {
 public:
  GroupClient(World& world, NativeRoom& room)
      : NativeDouble(
            world.shards[0]->frame_memory(), [&world] { world.settle(); }, room, nullptr) {}
};

class NativeGroupTest : public ::testing::Test {
 protected:
  static std::string delivery_of(const std::string& message) {
    JsonSlicer slicer;
    const auto document = slicer.slice(message);
    const JsonSpan* const delivery = document ? document->find("delivery") : nullptr;
    return delivery == nullptr ? std::string() : decode_json_string(delivery->text).value_or("");
  }
  static std::string settle(std::string_view verb, std::string_view delivery, std::string_view more = "") {
    return R"({"type":")" + std::string(verb) + R"(","channel":"jobs","group":"workers","delivery":")" + std::string(delivery) +
           '"' + std::string(more) + '}';
  }
  std::vector<std::string> publish(std::string_view payload) {
    world.publish("jobs", payload);
    return client.hear();
  }

  static constexpr const char* kJoin =
      R"({"type":"subscribe","channel":"jobs","group":"workers","start":"beginning","in_flight":2,"deliveries_max":2,"id":1})";

  World world{World::Options{.loops = 1}};
  NativeRoom room{*world.shards[0], world.durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, {}, {},
                  "carillon/test"};
  GroupClient client{world, room};
  GroupClient other{world, room};
};

TEST_F(NativeGroupTest, ADeliveryIsAnEventWithATokenAndIsAcknowledgedByIt) {
  const auto joined = client.say(kJoin);
  ASSERT_THAT(joined, SizeIs(1));
  EXPECT_THAT(joined[0], StartsWith(R"({"type":"subscribed","channel":"jobs","group":"workers","id":1,"epoch":")"));
  EXPECT_THAT(joined[0], HasSubstr(R"("offset":0,"lag":0,"created":true})"));
  const auto first = publish("1");
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_THAT(first[0], StartsWith(R"({"type":"event","channel":"jobs","event":"e","data":1,)"));
  EXPECT_THAT(first[0], HasSubstr(R"(,"offset":1,"group":"workers","delivery":")"));
  EXPECT_THAT(first[0], HasSubstr(R"(","attempt":1})"));
  const std::string token = delivery_of(first[0]);
  EXPECT_THAT(client.say(settle("ack", token, R"(,"id":7)")),
              ElementsAre(R"({"type":"acked","channel":"jobs","group":"workers","id":7,"settled":1})"));
  EXPECT_THAT(client.say(settle("ack", token, R"(,"id":8)")), ElementsAre(HasSubstr(R"("code":"conflict","id":8)")));
  const std::string second = delivery_of(publish("2").at(0));
  EXPECT_THAT(client.say(settle("ack", second)), IsEmpty()) << "without an id only a refusal is told";
  EXPECT_THAT(client.say(settle("ack", second)), ElementsAre(HasSubstr(R"("code":"conflict")")));
}

TEST_F(NativeGroupTest, InFlightIsBoundedAndSeveralAreAcknowledgedAtOnce) {
  client.say(kJoin);
  std::vector<std::string> got;
  for (const char* payload : {"1", "2", "3"}) {
    for (std::string& message : publish(payload)) got.push_back(std::move(message));
  }
  ASSERT_THAT(got, SizeIs(2));
  const auto answer = client.say(R"({"type":"ack","channel":"jobs","group":"workers","id":2,"delivery":[")" +
                                 delivery_of(got[0]) + R"(",")" + delivery_of(got[1]) + R"(","nonsense"]})");
  ASSERT_THAT(answer, SizeIs(2));
  EXPECT_EQ(answer[0], R"({"type":"acked","channel":"jobs","group":"workers","id":2,"settled":2,"refused":["nonsense"]})");
  EXPECT_THAT(answer[1], HasSubstr(R"("data":3,)"));
}

TEST_F(NativeGroupTest, NackExtendAndTheDeadLetter) {
  client.say(kJoin);
  other.say(R"({"type":"subscribe","channel":"jobs/dead"})");
  std::string token = delivery_of(publish("1").at(0));
  EXPECT_THAT(client.say(settle("extend", token, R"(,"visibility_ms":60000,"id":1)")),
              ElementsAre(R"({"type":"extended","channel":"jobs","group":"workers","id":1,"settled":1})"));
  const auto again = client.say(settle("nack", token, R"(,"id":2)"));
  ASSERT_THAT(again, SizeIs(2));
  EXPECT_EQ(again[0], R"({"type":"nacked","channel":"jobs","group":"workers","id":2,"settled":1})");
  EXPECT_THAT(again[1], HasSubstr(R"("attempt":2})"));
  EXPECT_THAT(client.say(settle("nack", delivery_of(again[1]))), IsEmpty());
  const auto dead = other.hear();
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_THAT(dead[0], HasSubstr(R"("channel":"jobs/dead","event":"e","data":1)"));
  EXPECT_THAT(dead[0], HasSubstr(R"(,"dead_letter":{"channel":"jobs","group":"workers","event_id":")"));
  EXPECT_THAT(dead[0], HasSubstr(R"(,"offset":1,"deliveries":2,"reason":"nacked"}})"));
}

TEST_F(NativeGroupTest, UnsubscribingGivesBackWhatWasInFlight) {
  client.say(kJoin);
  const std::string token = delivery_of(publish("1").at(0));
  EXPECT_THAT(other.say(R"({"type":"subscribe","channel":"jobs","group":"workers"})"),
              ElementsAre(HasSubstr(R"("created":false})")));
  EXPECT_THAT(client.say(R"({"type":"unsubscribe","channel":"jobs","group":"workers","id":3})"),
              ElementsAre(R"({"type":"unsubscribed","channel":"jobs","group":"workers","id":3})"));
  EXPECT_THAT(other.hear(), ElementsAre(HasSubstr(R"("attempt":2})")));
  EXPECT_THAT(client.say(settle("ack", token)), ElementsAre(HasSubstr(R"("code":"conflict")")));
}

TEST_F(NativeGroupTest, AGroupAndASubscriptionStandBesideEachOther) {
  client.say(R"({"type":"subscribe","channel":"jobs"})");
  client.say(kJoin);
  EXPECT_THAT(publish("1"), SizeIs(2));
  EXPECT_THAT(client.say(kJoin), ElementsAre(R"({"type":"subscribed","channel":"jobs","group":"workers","id":1})"));
  client.say(R"({"type":"unsubscribe","channel":"jobs"})");
  EXPECT_THAT(publish("2"), ElementsAre(HasSubstr(R"("delivery":)")));
}

TEST_F(NativeGroupTest, ADeletedGroupIsTold) {
  client.say(kJoin);
  world.hub->groups().remove({"jobs", "workers"}, [](auto) {});
  EXPECT_THAT(client.hear(),
              ElementsAre(R"({"type":"unsubscribed","channel":"jobs","group":"workers","reason":"the group was deleted"})"));
}

TEST_F(NativeGroupTest, WhatIsWrongIsSaid) {
  for (const std::string fields : {R"("in_flight":0)", R"("in_flight":1001)", R"("in_flight":"a")", R"("start":"then")",
                                   R"("start":{"epoch":"x","offset":1})", R"("start":7)", R"("visibility_ms":5)",
                                   R"("visibility_ms":-1)", R"("deliveries_max":2000)", R"("dead_letter":"")",
                                   R"("dead_letter":"jobs")", R"("recover":{"epoch":"1","offset":1})", R"("presence":true)"}) {
    EXPECT_THAT(client.say(R"({"type":"subscribe","channel":"jobs","group":"g",)" + fields + "}"),
                ElementsAre(HasSubstr(R"("code":"invalid")")))
        << fields;
  }
  for (const std::string command :
       {R"({"type":"subscribe","channel":"jobs","group":""})", R"({"type":"subscribe","channel":"jobs","group":5})",
        R"({"type":"subscribe","channel":"bare","group":"g"})", R"({"type":"ack","channel":"jobs","group":"workers"})",
        R"({"type":"ack","channel":"jobs","delivery":"x"})", R"({"type":"ack","channel":"jobs","group":"g","delivery":[1]})",
        R"({"type":"ack","channel":"jobs","group":"g","group":"g","delivery":"x"})"}) {
    EXPECT_THAT(client.say(command), ElementsAre(HasSubstr(R"("code":"invalid")"))) << command;
  }
  EXPECT_THAT(client.say(settle("ack", "x")), ElementsAre(HasSubstr(R"("code":"conflict")")));
  EXPECT_THAT(client.say(R"({"type":"subscribe","channel":"secret","group":"g"})"),
              ElementsAre(HasSubstr(R"("code":"forbidden")")));
}

// A member that does not read: what it may have in flight waits as references, not in its outbox, and it is not disconnected.
TEST(NativeGroupSlow, AMemberThatDoesNotReadIsNotDisconnected) {
  World world({.loops = 1, .hub = {.outbox_bytes_max = 2'000}});
  NativeRoom room{*world.shards[0], world.durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, {}, {},
                  "carillon/test"};
  GroupClient client{world, room};
  client.say(R"({"type":"subscribe","channel":"jobs","group":"g","in_flight":50})");
  client.link.blocked = true;
  for (int i = 0; i < 50; ++i) world.publish("jobs", '"' + std::string(900, 'x') + '"');
  world.settle();
  EXPECT_FALSE(client.link.closed);
  EXPECT_LE(client.dialog->outbox().bytes(), 2'000u);
  client.link.unblock();
  EXPECT_THAT(client.hear(), SizeIs(50));
  EXPECT_FALSE(client.link.closed);
}

}  // namespace
}  // namespace carillon
