#include "client/load/load_dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::HasSubstr;

TEST(LoadLanguage, SubscribersSpeakPhoenixAndPublishersTheNativeProtocol) {
  const LoadLanguage phoenix(LoadDialect::kPhoenix, "/ws");
  EXPECT_EQ(phoenix.publisher_path(), "/ws");
  EXPECT_EQ(phoenix.subscriber_path(), "/socket/websocket?vsn=2.0.0");
  EXPECT_EQ(phoenix.subscribe("bench:00001"), R"(["1","1","bench:00001","phx_join",{}])");
  EXPECT_TRUE(phoenix.publish("bench:00001", {}, 64).starts_with(R"({"type":"publish",)"));
}

TEST(LoadLanguage, BayeuxClientsSubscribeByTheirTalk) {
  const auto place = [](LoadDialect dialect) { return LoadLanguage(dialect, "/ws").bayeux_place("host:1"); };
  EXPECT_EQ(place(LoadDialect::kBayeux).carrier, BayeuxCarrier::kWebSocket);
  EXPECT_EQ(place(LoadDialect::kBayeuxPolls).carrier, BayeuxCarrier::kLongPolling);
  EXPECT_EQ(place(LoadDialect::kFloorPolls).carrier, BayeuxCarrier::kFloorPolling);
  EXPECT_EQ(place(LoadDialect::kBayeux).path, LoadLanguage(LoadDialect::kBayeux, "/ws").subscriber_path());
  EXPECT_FALSE(LoadLanguage(LoadDialect::kFloor, "/ws").bayeux());
  EXPECT_TRUE(LoadLanguage(LoadDialect::kBayeux, "/ws").bayeux());
  EXPECT_FALSE(LoadLanguage(LoadDialect::kBayeux, "/ws").polls());
  EXPECT_EQ(LoadLanguage(LoadDialect::kBayeuxPolls, "/ws").publisher_path(), "/ws");
  EXPECT_EQ(LoadLanguage(LoadDialect::kFloorPolls, "/ws").publisher_path(), "/pub");
  EXPECT_THAT(LoadLanguage(LoadDialect::kBayeux, "/ws").publish("bench:00001", {}, 64), HasSubstr(R"("event":"message")"));
}

TEST(LoadLanguage, KnowsAnAnswerFromAnEvent) {
  const LoadLanguage phoenix(LoadDialect::kPhoenix, "/ws");
  const char* const joined = R"(["1","1","bench:00001","phx_reply",{"status":"ok","response":{}}])";
  const char* const refused = R"(["1","1","bench:00001","phx_reply",{"status":"error","response":{"reason":"unauthorized"}}])";
  const char* const event = R"([null,null,"bench:00001","m",{"data":"x"}])";
  EXPECT_TRUE(phoenix.is_subscribed(joined));
  EXPECT_FALSE(phoenix.is_subscribed(refused));
  EXPECT_FALSE(phoenix.is_subscribed(event));
  EXPECT_TRUE(phoenix.is_error(refused));
  EXPECT_FALSE(phoenix.is_error(joined));
  EXPECT_FALSE(phoenix.is_error(event));
}

}  // namespace
}  // namespace carillon
