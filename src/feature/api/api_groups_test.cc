#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "feature/api/api_room.h"
#include "protocol/exchange_double.h"
#include "protocol/topic_json.h"
#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ApiGroupsTest : public testing::Test {
 protected:
  ApiGroupsTest() { room.add_routes(routes); }

  std::shared_ptr<AnswerDouble> send(std::string_view verb, std::string_view fields) {
    auto answer = routes.ask("POST", "/api/groups/" + std::string(verb),
                             R"({"channel":"jobs","group":"workers")" + std::string(fields) + "}");
    world.settle();
    return answer;
  }
  std::shared_ptr<AnswerDouble> take(std::string_view fields = "") {
    return send("take", R"(,"start":"beginning")" + std::string(fields));
  }
  // The tokens in the answer to a take.
  static std::vector<std::string> tokens(const AnswerDouble& answer) {
    std::vector<std::string> found;
    JsonSlicer body, list, item;
    const JsonDocument document = *body.slice(answer.response->body);
    const JsonDocument deliveries = *list.slice(document.find("deliveries")->text);
    for (const JsonSpan& span : deliveries.items) {
      found.push_back(decode_json_string(item.slice(span.text)->find("delivery")->text).value_or(""));
    }
    return found;
  }
  void publish(int count) {
    for (int i = 1; i <= count; ++i) world.publish("jobs", std::to_string(i));
    world.settle();
  }
  void pass(Millis time) {
    world.clock.now_ms += time.count();
    for (auto& loop : world.loops) loop->set_now(loop->now() + time);
    world.settle();
  }

  World world{World::Options{.loops = 2}};
  ApiAccess access;
  DurableSubscriptions subscriptions{world.engine.state(), world.clock, {}};
  TopicDirectory topics{*world.hub, subscriptions, topic_change_json};
  ApiRoom room{*world.hub,
               *world.loops[0],
               access,
               [](const Exchange&, std::string_view) { return IdentityPtr(); },
               {.directory = topics, .subscriptions = subscriptions, .random = world.random},
               {},
               {}};
  RoutesDouble routes;
};

TEST_F(ApiGroupsTest, TakeAndAck) {
  publish(3);
  const auto first = take(R"(,"count":2)");
  EXPECT_EQ(first->response->status, 200);
  EXPECT_TRUE(first->response->body.starts_with(R"({"channel":"jobs","group":"workers","deliveries":[{"type":"event",)"));
  EXPECT_THAT(first->response->body, HasSubstr(R"("data":1,)"));
  EXPECT_THAT(first->response->body, HasSubstr(R"("attempt":1})"));
  const auto taken = tokens(*first);
  ASSERT_THAT(taken, SizeIs(2));
  const auto acked = send("ack", R"(,"delivery":[")" + taken[0] + R"(",")" + taken[1] + R"(","x"])");
  EXPECT_EQ(acked->response->body, R"({"channel":"jobs","group":"workers","settled":2,"refused":["x"]})");
  EXPECT_EQ(send("ack", R"(,"delivery":")" + taken[0] + '"')->response->status, 409);
  const auto groups = routes.ask("GET", "/api/groups");
  world.settle();
  EXPECT_THAT(groups->response->body, HasSubstr(R"("offset":2,"lag":1,"in_flight":0,"members":0,"visibility_ms":30000,)"
                                                R"("deliveries_max":5,"dead_letter":"jobs/dead",)"));
}

TEST_F(ApiGroupsTest, NackAndExtend) {
  publish(1);
  const auto taken = tokens(*take());
  EXPECT_EQ(send("extend", R"(,"delivery":")" + taken.at(0) + R"(","visibility_ms":60000)")->response->status, 200);
  pass(Millis(40'000));
  EXPECT_THAT(tokens(*take()), IsEmpty());
  EXPECT_EQ(send("nack", R"(,"delivery":")" + taken[0] + R"(","delay_ms":500)")->response->status, 200);
  EXPECT_THAT(tokens(*take()), IsEmpty());
  pass(Millis(600));
  EXPECT_THAT(take()->response->body, HasSubstr(R"("attempt":2})"));
}

TEST_F(ApiGroupsTest, ATakeWaitsAndIsAnsweredWhenSomethingComesOrTheTimeIsOver) {
  const auto waiting = take(R"(,"wait_ms":1000)");
  EXPECT_TRUE(waiting->parked());
  publish(1);
  ASSERT_TRUE(waiting->response);
  EXPECT_THAT(tokens(*waiting), SizeIs(1));
  const auto second = take(R"(,"wait_ms":1000)");
  EXPECT_TRUE(second->parked());
  pass(Millis(1100));
  ASSERT_TRUE(second->response);
  EXPECT_THAT(tokens(*second), IsEmpty());
}

TEST_F(ApiGroupsTest, WhoGoesWhileItWaitsTakesNothingWithIt) {
  const auto gone = take(R"(,"wait_ms":30000)");
  gone->leave();
  world.settle();
  publish(1);
  const auto next = take();
  ASSERT_THAT(tokens(*next), SizeIs(1));
  ASSERT_TRUE(next->sent);
  next->sent(false);  // The client had gone.
  world.settle();
  EXPECT_THAT(take()->response->body, HasSubstr(R"("attempt":2})"));
}

TEST_F(ApiGroupsTest, AStopAnswersWhatWaits) {
  const auto waiting = take(R"(,"wait_ms":30000)");
  waiting->drain();
  world.settle();
  ASSERT_TRUE(waiting->response);
  EXPECT_THAT(tokens(*waiting), IsEmpty());
}

TEST_F(ApiGroupsTest, WhatIsWrongIsSaid) {
  for (const char* fields : {R"(,"count":0)", R"(,"count":101)", R"(,"wait_ms":60001)", R"(,"wait_ms":"x")",
                             R"(,"visibility_ms":1)", R"(,"dead_letter":"jobs")", R"(,"count":1,"count":1)"}) {
    EXPECT_EQ(take(fields)->response->status, 400) << fields;
  }
  EXPECT_EQ(send("ack", "")->response->status, 400);
  EXPECT_EQ(send("ack", R"(,"delivery":"x")")->response->status, 404);
  EXPECT_EQ(take(R"(,"visibility_ms":500)")->response->status, 200);
  EXPECT_EQ(take(R"(,"visibility_ms":600)")->response->status, 409);
  const auto secret = routes.ask("POST", "/api/groups/take", R"({"channel":"secret","group":"g"})");
  EXPECT_EQ(secret->response->status, 403);
  const auto bare = routes.ask("POST", "/api/groups/take", R"({"channel":"bare","group":"g"})");
  world.settle();
  EXPECT_EQ(bare->response->status, 400);
}

TEST_F(ApiGroupsTest, GroupsAreListedInPagesAndDeleted) {
  for (const char* name : {"a/b", "c", "d"}) {
    routes.ask("POST", "/api/groups/take", R"({"channel":"jobs","group":")" + std::string(name) + R"("})");
    world.settle();
  }
  const auto first = routes.ask("GET", "/api/groups?limit=1&channel=jobs");
  world.settle();
  EXPECT_THAT(first->response->body, HasSubstr(R"("group":"a/b")"));
  EXPECT_THAT(first->response->body, HasSubstr(R"("next":"jobs/a~1b"})"));
  const auto rest = routes.ask("GET", "/api/groups?after=jobs/a~1b");
  world.settle();
  EXPECT_THAT(rest->response->body, HasSubstr(R"("group":"c")"));
  EXPECT_THAT(rest->response->body, HasSubstr(R"("group":"d")"));
  const auto removed = routes.ask("DELETE", "/api/groups?channel=jobs&group=a/b");
  world.settle();
  EXPECT_EQ(removed->response->body, R"({"channel":"jobs","group":"a/b","removed":true})");
  const auto again = routes.ask("DELETE", "/api/groups?channel=jobs&group=a/b");
  world.settle();
  EXPECT_EQ(again->response->status, 404);
}

}  // namespace
}  // namespace carillon
