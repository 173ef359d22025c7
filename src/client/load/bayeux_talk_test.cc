#include "client/load/bayeux_talk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kConnectReply = R"([{"id":"2","channel":"/meta/connect","successful":true}])";
constexpr std::string_view kDelivery = R"([{"channel":"/bench/00001","data":"x"}])";
constexpr std::string_view kRefusal =
    R"([{"id":"2","channel":"/meta/connect","successful":false,"error":"402::session_unknown","advice":{"reconnect":"handshake"}}])";

class BayeuxTalkTest : public testing::Test {
 protected:
  BayeuxTalk::Turn hear(std::string_view messages, std::string_view fields = "", int status = 200) {
    if (!place_.polls()) return talk_.on_messages(place_, messages);
    head_ = "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n";
    return talk_.on_answer(place_, {.status = status, .head = head_, .body = messages});
  }
  void listen() {
    talk_.begin(place_);
    hear(R"([{"channel":"/meta/handshake","successful":true,"clientId":"c1"}])");
    hear(kConnectReply);
    hear(R"([{"channel":"/meta/subscribe","successful":true,"subscription":"/bench/00001"}])");
  }
  static std::string text(std::string_view view) { return std::string(view); }

  BayeuxPlace place_{.carrier = BayeuxCarrier::kWebSocket, .authority = "host:1", .path = "/cometd"};
  BayeuxTalk talk_{"bench:00001"};
  std::string head_;
};

TEST_F(BayeuxTalkTest, SubscribesByWebSocketStepByStep) {
  EXPECT_EQ(talk_.begin(place_).say,
            R"([{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])");
  EXPECT_EQ(hear(R"([{"channel":"/meta/handshake","successful":true,"clientId":"c1","version":"1.0"}])").say,
            R"([{"id":"2","channel":"/meta/connect","connectionType":"websocket","advice":{"timeout":0},"clientId":"c1"}])");
  EXPECT_EQ(hear(kConnectReply).say,
            R"([{"id":"3","channel":"/meta/subscribe","subscription":"/bench/00001","clientId":"c1"}])");
  EXPECT_EQ(hear(kDelivery).say, "") << "may overtake the reply";
  EXPECT_FALSE(talk_.listening());
  const auto turn = hear(R"([{"channel":"/meta/subscribe","successful":true,"subscription":"/bench/00001"}])");
  EXPECT_EQ(turn.say, R"([{"id":"2","channel":"/meta/connect","connectionType":"websocket","clientId":"c1"}])");
  EXPECT_TRUE(turn.subscribed);
  EXPECT_TRUE(talk_.listening());
}

TEST_F(BayeuxTalkTest, ConnectsAgainByWebSocketWhenAConnectIsAnswered) {
  listen();
  EXPECT_EQ(hear(kDelivery).say, "");
  EXPECT_THAT(text(hear(kConnectReply).say), HasSubstr("/meta/connect"));
  const auto both = hear(R"([{"channel":"/bench/00001","data":"x"},{"channel":"/meta/connect","successful":true}])");
  EXPECT_THAT(text(both.say), HasSubstr("/meta/connect"));
  EXPECT_FALSE(both.subscribed);
}

TEST_F(BayeuxTalkTest, PollsByHttpWithItsCookie) {
  place_.carrier = BayeuxCarrier::kLongPolling;
  EXPECT_EQ(text(talk_.begin(place_).say),
            "POST /cometd/handshake HTTP/1.1\r\nHost: host:1\r\nContent-Type: application/json;charset=UTF-8\r\n"
            "Content-Length: 100\r\n\r\n"
            R"([{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}])");
  const auto connect = text(hear(R"([{"channel":"/meta/handshake","successful":true,"clientId":"c1"}])",
                                 "Set-Cookie: BAYEUX_BROWSER=ab; HttpOnly\r\n")
                                .say);
  EXPECT_THAT(connect, StartsWith("POST /cometd/connect HTTP/1.1\r\n"));
  EXPECT_THAT(connect, HasSubstr("\r\nCookie: BAYEUX_BROWSER=ab\r\n"));
  EXPECT_THAT(connect, HasSubstr(R"("advice":{"timeout":0})"));
  EXPECT_THAT(text(hear(kConnectReply).say), StartsWith("POST /cometd/ HTTP/1.1\r\n"));
  const auto turn = hear(R"([{"channel":"/meta/subscribe","successful":true}])");
  EXPECT_TRUE(turn.subscribed);
  const std::string poll(turn.say);
  EXPECT_THAT(poll, EndsWith(R"([{"id":"2","channel":"/meta/connect","connectionType":"long-polling","clientId":"c1"}])"));
  EXPECT_THAT(poll, Not(HasSubstr("advice")));
  EXPECT_EQ(hear(kDelivery).say, poll) << "whatever the answer holds, the next poll goes at once";
  EXPECT_EQ(hear("[]").say, poll);
}

TEST_F(BayeuxTalkTest, PollsTheFloorFromTheBeginning) {
  place_.carrier = BayeuxCarrier::kFloorPolling;
  const auto turn = talk_.begin(place_);
  EXPECT_TRUE(turn.subscribed);
  const std::string poll(turn.say);
  EXPECT_THAT(poll, StartsWith("POST /cometd/connect HTTP/1.1\r\n"));
  EXPECT_EQ(hear("bare").say, poll);
}

TEST_F(BayeuxTalkTest, SaysWhatWasRefused) {
  listen();
  EXPECT_EQ(hear(kRefusal).fault, kRefusal);
  EXPECT_EQ(hear(kRefusal).say, "");
  place_.carrier = BayeuxCarrier::kLongPolling;
  EXPECT_EQ(hear(kRefusal).fault, kRefusal);
  EXPECT_EQ(hear("[]", "", 503).fault, head_);
}

TEST_F(BayeuxTalkTest, NeedsAClientId) {
  talk_.begin(place_);
  EXPECT_NE(hear(R"([{"channel":"/meta/handshake","successful":true}])").fault, "");
  EXPECT_NE(hear(R"([{"channel":"/meta/handshake","successful":true,"clientId":7}])").fault, "");
}

TEST(BayeuxChannelName, IsTheNativeOneInItsOwnWriting) {
  EXPECT_EQ(bayeux_channel_name("bench:00001"), "/bench/00001");
  EXPECT_EQ(bayeux_channel_name("lobby"), "/lobby");
}

}  // namespace
}  // namespace carillon
