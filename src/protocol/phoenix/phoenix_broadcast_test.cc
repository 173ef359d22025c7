#include "protocol/phoenix/phoenix_broadcast.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

using std::string_view_literals::operator""sv;
constexpr PhoenixForm kV1{.version = PhoenixVersion::kV1}, kV2{}, kV2Binary{.binary_link = true};

struct Published : Publication {
  Published(std::string_view name, std::string_view bytes, PayloadFormat format_of_bytes = PayloadFormat::kJson) {
    channel = "room:1";
    event = name;
    payload = Bytes::copy_of(bytes);
    format = format_of_bytes;
  }
};

std::string text(const Publication& publication, const PhoenixForm& form) {
  std::string out;
  EXPECT_EQ(append_phoenix_broadcast(out, publication, form), MessageKind::kText);
  return out;
}

TEST(PhoenixBroadcast, AnObjectIsThePayloadAsItCame) {
  const Published publication("new_msg", R"({ "a" : 1.0 })");
  EXPECT_EQ(text(publication, kV2), R"([null,null,"room:1","new_msg",{ "a" : 1.0 }])");
  EXPECT_EQ(text(publication, kV2Binary), text(publication, kV2));
  EXPECT_EQ(text(publication, kV1), R"({"topic":"room:1","event":"new_msg","ref":null,"payload":{ "a" : 1.0 }})");
  EXPECT_EQ(text(Published("e", " \r\n\t{}\n"), kV2), "[null,null,\"room:1\",\"e\", \r\n\t{}\n]");
}

TEST(PhoenixBroadcast, OtherJsonIsWrapped) {
  for (const std::string payload : {"1", "null", "true", "\"{\"", "[{}]", " 1 "}) {
    EXPECT_EQ(text(Published("e", payload), kV2), R"([null,null,"room:1","e",{"data":)" + payload + "}]");
  }
  EXPECT_EQ(text(Published("e", "[1]"), kV1), R"({"topic":"room:1","event":"e","ref":null,"payload":{"data":[1]}})");
}

TEST(PhoenixBroadcast, KindsOfEventsAreSpelledAsAskedFor) {
  const Published publication("pr_opened", "{}");
  EXPECT_EQ(text(publication, kV2), R"([null,null,"room:1","pr_opened",{}])");
  EXPECT_EQ(text(publication, {.names = EventNames::kDotted}), R"([null,null,"room:1","pr.opened",{}])");
}

TEST(PhoenixBroadcast, BytesAreBinaryWhereTheyMayBeAndElseBase64) {
  for (const PayloadFormat format : {PayloadFormat::kBytes, PayloadFormat::kCbor}) {
    const Published publication("e", "\x01\x00\xFF"sv, format);
    std::string out;
    EXPECT_EQ(append_phoenix_broadcast(out, publication, kV2Binary), MessageKind::kBinary);
    EXPECT_EQ(out,
              "\x02\x06\x01"
              "room:1"
              "e"
              "\x01\x00\xFF"sv);
    EXPECT_EQ(text(publication, kV2), R"([null,null,"room:1","e",{"data":"AQD/","encoding":"base64"}])");
    EXPECT_EQ(text(publication, {.version = PhoenixVersion::kV1, .binary_link = true}),
              R"({"topic":"room:1","event":"e","ref":null,"payload":{"data":"AQD/","encoding":"base64"}})");
  }
}

TEST(PhoenixBroadcast, WhatIsTooLongForABinaryFrameIsBase64) {
  Published publication("e", "x", PayloadFormat::kBytes);
  publication.channel = std::string(256, 'c');
  EXPECT_EQ(text(publication, kV2Binary),
            R"([null,null,")" + publication.channel + R"(","e",{"data":"eA==","encoding":"base64"}])");
}

TEST(PhoenixBroadcast, EventsOfTheProtocolsOwnReachNobodyAsSuch) {
  for (const std::string event : {"phx_close", "phx_reply", "phx_error", "phx_", "presence_state", "presence_diff",
                                  "presence_stats", "gap", "chan_reply_1"}) {
    EXPECT_EQ(text(Published(event, R"({"a":1})"), kV2),
              R"([null,null,"room:1","message",{"event":")" + event + R"(","data":{"a":1}}])");
    EXPECT_EQ(text(Published(event, "x", PayloadFormat::kBytes), kV2Binary),
              R"([null,null,"room:1","message",{"event":")" + event + R"(","data":"eA==","encoding":"base64"}])");
    EXPECT_EQ(text(Published(event, "5"), kV1),
              R"({"topic":"room:1","event":"message","ref":null,"payload":{"event":")" + event + R"(","data":5}})");
  }
  for (const std::string event : {"phx", "presence", "presence_states", "gaps", "heartbeat", "message", "PHX_CLOSE"}) {
    EXPECT_EQ(text(Published(event, "{}"), kV2), R"([null,null,"room:1",")" + event + R"(",{}])");
  }
  Published heartbeat("heartbeat", "{}");
  heartbeat.channel = "phoenix";
  EXPECT_EQ(text(heartbeat, kV2), R"([null,null,"phoenix","message",{"event":"heartbeat","data":{}}])");
}

TEST(PhoenixBroadcast, ThePositionIsTheRefWhereItIsWanted) {
  Published publication("e", "{}");
  const PhoenixForm form{.binary_link = true, .positions = true};
  EXPECT_EQ(text(publication, form), R"([null,null,"room:1","e",{}])");
  publication.position = Position{.epoch = 0xff, .offset = 7};
  EXPECT_EQ(text(publication, form), R"([null,"00000000000000ff:7","room:1","e",{}])");
  EXPECT_EQ(text(publication, kV2), R"([null,null,"room:1","e",{}])");
}

TEST(PhoenixBroadcast, ItsKindIsKnownBefore) {
  for (const PayloadFormat format : {PayloadFormat::kJson, PayloadFormat::kBytes}) {
    for (const std::string event : {"e", "phx_close"}) {
      for (const PhoenixForm& form : {kV2, kV2Binary, kV1, PhoenixForm{.version = PhoenixVersion::kV1, .binary_link = true}}) {
        const Published publication(event, "1", format);
        std::string out;
        EXPECT_EQ(append_phoenix_broadcast(out, publication, form), phoenix_broadcast_kind(publication, form)) << out;
      }
    }
  }
}

TEST(PhoenixBroadcast, IsAppendedToWhatIsThere) {
  std::string out = "[]";
  append_phoenix_broadcast(out, Published("e", "{}"), kV2);
  append_phoenix_broadcast(out, Published("e", "1"), kV1);
  EXPECT_EQ(out, R"([][null,null,"room:1","e",{}]{"topic":"room:1","event":"e","ref":null,"payload":{"data":1}})");
}

}  // namespace
}  // namespace carillon
