#include "protocol/phoenix/phoenix_codec.h"

#include <gtest/gtest.h>

#include <vector>

namespace carillon {
namespace {

using std::string_view_literals::operator""sv;
constexpr PhoenixVersion kV1 = PhoenixVersion::kV1, kV2 = PhoenixVersion::kV2;

// What was read, in a form that compares.
struct Read {
  std::string join_ref, ref, topic, event, payload;
  MessageKind kind = MessageKind::kText;
  friend bool operator==(const Read&, const Read&) = default;
};

void PrintTo(const Read& read, std::ostream* out) {
  *out << read.join_ref << ' ' << read.ref << ' ' << read.topic << ' ' << read.event << ' ' << read.payload;
}

// In a block of its own, so that a sanitizer sees a step too far.
std::optional<Read> read(PhoenixVersion version, std::string_view frame, MessageKind kind = MessageKind::kText) {
  PhoenixReader reader;
  const std::vector<char> bytes(frame.begin(), frame.end());
  const Result<PhoenixMessage> message = reader.read(version, {bytes.data(), bytes.size()}, kind);
  if (!message) return std::nullopt;
  const auto& [join_ref, ref, topic] = message->address;
  return Read{std::string(join_ref),         std::string(ref), std::string(topic), std::string(message->event),
              std::string(message->payload), message->kind};
}

std::optional<Read> read_binary(std::string_view frame) {
  return read(kV2, frame, MessageKind::kBinary);
}

std::string fault(PhoenixVersion version, std::string_view frame, MessageKind kind = MessageKind::kText) {
  PhoenixReader reader;
  const Result<PhoenixMessage> message = reader.read(version, frame, kind);
  if (message) return "was read";
  constexpr std::string_view kPrefix = "Invalid message: ";
  EXPECT_TRUE(message.error().text.starts_with(kPrefix)) << message.error().text;
  return message.error().text.substr(kPrefix.size());
}

struct Golden {
  PhoenixVersion version;
  std::string_view frame;
  Read message;
};

// What a client sends, as Phoenix's documents and phoenix.js write it.
const std::vector<Golden>& client_frames() {
  static const std::vector<Golden> frames = {
      {kV2, R"(["1","1","room:1","phx_join",{"user":"a"}])", {R"("1")", R"("1")", "room:1", "phx_join", R"({"user":"a"})"}},
      {kV2, R"(["1","2","room:1","new_msg",{"body":"x"}])", {R"("1")", R"("2")", "room:1", "new_msg", R"({"body":"x"})"}},
      {kV2, R"(["1","3","room:1","phx_leave",{}])", {R"("1")", R"("3")", "room:1", "phx_leave", "{}"}},
      {kV2, R"([null,"7","phoenix","heartbeat",{}])", {"null", R"("7")", "phoenix", "heartbeat", "{}"}},
      {kV1, R"({"topic":"room:1","event":"phx_join","payload":{},"ref":"1"})", {"null", R"("1")", "room:1", "phx_join", "{}"}},
      {kV1,
       R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":"7"})",
       {"null", R"("7")", "phoenix", "heartbeat", "{}"}},
      {kV1,
       R"({"topic":"room:1","event":"new_msg","payload":{"body":"x"},"ref":"2","join_ref":"1"})",
       {R"("1")", R"("2")", "room:1", "new_msg", R"({"body":"x"})"}},
  };
  return frames;
}

TEST(PhoenixCodec, ReadsWhatClientsSend) {
  for (const Golden& golden : client_frames()) EXPECT_EQ(read(golden.version, golden.frame), golden.message) << golden.frame;
}

TEST(PhoenixCodec, NoTextIsReadBeforeItsLastByte) {
  for (const auto& [version, frame, message] : client_frames()) {
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_FALSE(read(version, frame.substr(0, size))) << frame.substr(0, size);
    }
  }
}

TEST(PhoenixCodec, AFrameOfOneSerializerIsNoneOfTheOther) {
  for (const Golden& golden : client_frames()) EXPECT_FALSE(read(golden.version == kV1 ? kV2 : kV1, golden.frame));
}

TEST(PhoenixCodec, WhatIsWrittenIsReadBack) {
  for (const auto& [version, frame, message] : client_frames()) {
    const PhoenixAddress address{.join_ref = message.join_ref, .ref = message.ref, .topic = message.topic};
    Read expected = message;
    if (version == kV1) expected.join_ref = kPhoenixNoRef;
    EXPECT_EQ(read(version, phoenix_message(version, address, message.event, message.payload)), expected);
  }
}

TEST(PhoenixCodec, MoreThanFiveElementsAndOtherKeysAreIgnored) {
  EXPECT_EQ(read(kV2, R"(["1","2","t","e",{},6,[7]])"), (Read{R"("1")", R"("2")", "t", "e", "{}"}));
  EXPECT_EQ(read(kV1, R"({"x":1,"ref":null,"payload":{},"event":"e","topic":"t","x":2})"),
            (Read{"null", "null", "t", "e", "{}"}));
}

TEST(PhoenixCodec, TextsAreDecodedAndThePayloadIsNot) {
  EXPECT_EQ(read(kV2, "[ null , null , \"r\\u006fom:\\\"\" , \"\\u0065\" , { \"a\" : \"\\u0062\" } ]"),
            (Read{"null", "null", "room:\"", "e", "{ \"a\" : \"\\u0062\" }"}));
}

TEST(PhoenixCodec, APayloadIsAnObjectAndNullAnEmptyOne) {
  EXPECT_EQ(read(kV2, R"([null,"1","phoenix","heartbeat",null])"), (Read{"null", R"("1")", "phoenix", "heartbeat", "{}"}));
  for (const std::string payload : {"1", "\"x\"", "[]", "true"}) {
    EXPECT_EQ(fault(kV2, R"([null,"1","t","e",)" + payload + "]"), "the payload must be an object");
  }
}

TEST(PhoenixCodec, RefsComeBackAsTheyWere) {
  for (const std::string ref : {R"("1")", R"("")", "\"a\\u0062\"", "17", "-1", "99999999999999999999", "null"}) {
    EXPECT_EQ(read(kV2, "[" + ref + "," + ref + R"(,"t","e",{}])"), (Read{ref, ref, "t", "e", "{}"}));
    EXPECT_EQ(phoenix_reply(kV2, {.join_ref = ref, .ref = ref, .topic = "t"}, PhoenixStatus::kOk),
              "[" + ref + "," + ref + R"(,"t","phx_reply",{"status":"ok","response":{}}])");
  }
  for (const std::string ref : {"1.0", "1e3", "true", "[]", "{}"}) {
    EXPECT_EQ(fault(kV2, "[" + ref + R"(,null,"t","e",{}])"), "the join_ref must be a string, an integer or null");
    EXPECT_EQ(fault(kV2, "[null," + ref + R"(,"t","e",{}])"), "the ref must be a string, an integer or null");
  }
}

TEST(PhoenixCodec, TextsEndAt255Bytes) {
  const std::string longest(255, 'x'), longer(256, 'x');
  const auto frame = [](const std::string& ref, const std::string& topic, const std::string& event) {
    return R"([null,")" + ref + R"(",")" + topic + R"(",")" + event + R"(",{}])";
  };
  EXPECT_TRUE(read(kV2, frame(longest, longest, longest)));
  EXPECT_EQ(fault(kV2, frame(longer, "t", "e")), "the ref is longer than 255 bytes");
  EXPECT_EQ(fault(kV2, frame("1", longer, "e")), "the topic is longer than 255 bytes");
  EXPECT_EQ(fault(kV2, frame("1", "t", longer)), "the event is longer than 255 bytes");
  EXPECT_FALSE(read(kV2, "[null," + std::string(256, '1') + R"(,"t","e",{}])"));
  PhoenixReader reader;
  EXPECT_EQ(reader.read(kV2, frame("1", longer, "e"), MessageKind::kText).error().kind, ErrorKind::kTooLarge);
}

TEST(PhoenixCodec, FaultsSayWhatIsWrong) {
  EXPECT_EQ(fault(kV2, "x"), "expected value at line 1 column 1");
  EXPECT_EQ(fault(kV2, R"(["1","1","t","e"])"), "a V2 message is an array of five: join_ref, ref, topic, event, payload");
  EXPECT_EQ(fault(kV2, "[]"), fault(kV2, "{}"));
  EXPECT_EQ(fault(kV1, "[]"), "a V1 message is an object");
  EXPECT_EQ(fault(kV1, R"({"event":"e","payload":{},"ref":"1"})"), "missing key `topic`");
  EXPECT_EQ(fault(kV1, R"({"topic":"t","payload":{},"ref":"1"})"), "missing key `event`");
  EXPECT_EQ(fault(kV1, R"({"topic":"t","event":"e","ref":"1"})"), "missing key `payload`");
  EXPECT_EQ(fault(kV1, R"({"topic":"t","event":"e","payload":{}})"), "missing key `ref`");
  EXPECT_EQ(fault(kV1, R"({"topic":"t","t\u006fpic":"u","event":"e","payload":{},"ref":"1"})"), "duplicate key `topic`");
  EXPECT_EQ(fault(kV2, R"([null,null,null,"e",{}])"), "the topic must be a string");
  EXPECT_EQ(fault(kV2, R"([null,null,"t",1,{}])"), "the event must be a string");
}

TEST(PhoenixCodec, ARefusedFrameLeavesWhatIsNeededToAnswerIt) {
  PhoenixReader reader;
  EXPECT_FALSE(reader.read(kV2, R"(["1","2","t","e",5])", MessageKind::kText));
  EXPECT_EQ(phoenix_reply(kV2, reader.address(), PhoenixStatus::kError),
            R"(["1","2","t","phx_reply",{"status":"error","response":{}}])");
  EXPECT_FALSE(reader.read(kV2, "x", MessageKind::kText));
  EXPECT_EQ(reader.address().topic, "");
  EXPECT_EQ(reader.address().ref, kPhoenixNoRef);
}

// --- Binary.

constexpr std::string_view kClientPush =
    "\x00\x01\x02\x06\x03"
    "1"
    "23"
    "room:1"
    "evt"
    "\x01\x00\xFF"sv;

TEST(PhoenixBinary, AClientPushIsRead) {
  EXPECT_EQ(read_binary(kClientPush),
            (Read{R"("1")", R"("23")", "room:1", "evt", std::string("\x01\x00\xFF", 3), MessageKind::kBinary}));
  EXPECT_EQ(read_binary("\0\0\0\0\0"sv), (Read{"null", "null", "", "", "", MessageKind::kBinary}));
}

TEST(PhoenixBinary, AFrameThatEndsBeforeItsDataIsRefused) {
  const std::size_t data_at = kClientPush.size() - 3;
  for (std::size_t size = 0; size < kClientPush.size(); ++size) {
    const std::optional<Read> message = read_binary(kClientPush.substr(0, size));
    EXPECT_EQ(message.has_value(), size >= data_at) << size;
    if (size < data_at || !message) continue;
    EXPECT_EQ(message->payload, kClientPush.substr(data_at, size - data_at));
  }
  const auto binary_fault = [](std::string_view frame) { return fault(kV2, frame, MessageKind::kBinary); };
  EXPECT_EQ(binary_fault(""), "an empty binary frame");
  EXPECT_EQ(binary_fault("\0\0\0\0"sv), "the binary frame ends within its sizes");
  EXPECT_EQ(binary_fault(kClientPush.substr(0, data_at - 1)), "the binary frame ends within its texts");
  EXPECT_EQ(binary_fault("\0\xFF\xFF\xFF\xFF"sv), "the binary frame ends within its texts");
}

TEST(PhoenixBinary, OtherKindsAreRefused) {
  std::string frame(kClientPush);
  for (int kind = 1; kind < 256; ++kind) {
    frame[0] = static_cast<char>(kind);
    const std::string expected = kind < 3 ? "binary frames of kind " + std::to_string(kind) + " are the server's"
                                          : "no binary frame has kind " + std::to_string(kind);
    EXPECT_EQ(fault(kV2, frame, MessageKind::kBinary), expected);
  }
  EXPECT_EQ(fault(kV1, kClientPush, MessageKind::kBinary), "binary frames need vsn=2.0.0");
}

TEST(PhoenixBinary, TextsAreUtf8EachAlone) {
  EXPECT_EQ(read_binary("\0\0\0\2\0\xC3\xBC"sv)->topic, "\xC3\xBC");
  EXPECT_EQ(fault(kV2, "\0\0\0\1\1\xC3\xBC"sv, MessageKind::kBinary), "a text of the binary frame is not UTF-8");
  EXPECT_EQ(fault(kV2, "\0\1\0\0\0\xFF"sv, MessageKind::kBinary), "a text of the binary frame is not UTF-8");
}

TEST(PhoenixBinary, ARefIsTheSameInBothForms) {
  const std::optional<Read> message = read_binary(
      "\0\1\3\1\1"
      "1"
      "a\"\n"
      "t"
      "e"sv);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->ref, "\"a\\\"\\n\"");
  EXPECT_EQ(phoenix_binary_reply({.join_ref = message->join_ref, .ref = message->ref, .topic = "t"}, PhoenixStatus::kOk, "d"),
            "\1\1\3\1\2"
            "1"
            "a\"\n"
            "t"
            "ok"
            "d"sv);
}

TEST(PhoenixBinary, TheServersFrames) {
  std::string broadcast;
  EXPECT_TRUE(append_phoenix_binary_broadcast(broadcast, "t", "e", "\x01"));
  EXPECT_EQ(broadcast, "\x02\x01\x01\x74\x65\x01");
  EXPECT_EQ(phoenix_binary_push(R"("1")", "t", "ev", "d"),
            "\0\1\1\2"
            "1"
            "t"
            "ev"
            "d"sv);
  EXPECT_EQ(phoenix_binary_push(kPhoenixNoRef, "t", "e", ""),
            "\0\0\1\1"
            "t"
            "e"sv);
  EXPECT_EQ(phoenix_binary_reply({.join_ref = "7", .ref = R"("x")", .topic = "t"}, PhoenixStatus::kError, "\0"sv),
            "\1\1\1\1\5"
            "7"
            "x"
            "t"
            "error"
            "\0"sv);
}

TEST(PhoenixBinary, WhatDoesNotFitIsNotWritten) {
  const std::string longest(255, 'x'), longer(256, 'x');
  std::string out = "before";
  EXPECT_FALSE(append_phoenix_binary_broadcast(out, longer, "e", "d"));
  EXPECT_FALSE(append_phoenix_binary_broadcast(out, "t", longer, "d"));
  EXPECT_EQ(out, "before");
  EXPECT_FALSE(phoenix_binary_push("null", longer, "e", "d"));
  EXPECT_FALSE(phoenix_binary_reply({.ref = "\"" + longer + "\"", .topic = "t"}, PhoenixStatus::kOk, "d"));
  EXPECT_EQ(phoenix_binary_push("null", longest, longest, "d")->size(), 4 + 255 + 255 + 1u);
}

// --- Text from the server.

TEST(PhoenixCodec, TheServersFramesInV2) {
  const PhoenixAddress push{.join_ref = R"("1")", .ref = R"("2")", .topic = "room:1"};
  EXPECT_EQ(phoenix_reply(kV2, {.join_ref = R"("1")", .ref = R"("1")", .topic = "room:1"}, PhoenixStatus::kOk),
            R"(["1","1","room:1","phx_reply",{"status":"ok","response":{}}])");
  EXPECT_EQ(phoenix_reply(kV2, push, PhoenixStatus::kError, R"({"reason":"unauthorized"})"),
            R"(["1","2","room:1","phx_reply",{"status":"error","response":{"reason":"unauthorized"}}])");
  EXPECT_EQ(phoenix_reply(kV2, {.ref = R"("1")", .topic = "x"}, PhoenixStatus::kError, R"({"reason":"unmatched topic"})"),
            R"([null,"1","x","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])");
  EXPECT_EQ(phoenix_push(kV2, R"("1")", "room:1", "evt", R"({"a":1})"), R"(["1",null,"room:1","evt",{"a":1}])");
  EXPECT_EQ(phoenix_broadcast(kV2, "room:1", "evt", R"({"a":1})"), R"([null,null,"room:1","evt",{"a":1}])");
  EXPECT_EQ(phoenix_close(kV2, R"("1")", "room:1"), R"(["1","1","room:1","phx_close",{}])");
  EXPECT_EQ(phoenix_error(kV2, R"("1")", "room:1", "channel_crash"),
            R"(["1","1","room:1","phx_error",{"reason":"channel_crash"}])");
  EXPECT_EQ(phoenix_heartbeat_reply(kV2, R"("7")"), R"([null,"7","phoenix","phx_reply",{"status":"ok","response":{}}])");
  EXPECT_EQ(phoenix_broadcast(kV2, "a\"\n", "e\\", "{}"), "[null,null,\"a\\\"\\n\",\"e\\\\\",{}]");
}

TEST(PhoenixCodec, TheServersFramesInV1) {
  EXPECT_EQ(phoenix_reply(kV1, {.join_ref = R"("1")", .ref = R"("1")", .topic = "room:1"}, PhoenixStatus::kOk),
            R"({"topic":"room:1","event":"phx_reply","ref":"1","payload":{"status":"ok","response":{}}})");
  EXPECT_EQ(phoenix_broadcast(kV1, "room:1", "evt", R"({"a":1})"),
            R"({"topic":"room:1","event":"evt","ref":null,"payload":{"a":1}})");
  EXPECT_EQ(phoenix_push(kV1, R"("1")", "room:1", "evt", "{}"), phoenix_broadcast(kV1, "room:1", "evt", "{}"));
  EXPECT_EQ(phoenix_close(kV1, R"("1")", "room:1"), R"({"topic":"room:1","event":"phx_close","ref":"1","payload":{}})");
  EXPECT_EQ(phoenix_error(kV1, R"("1")", "room:1", "r"),
            R"({"topic":"room:1","event":"phx_error","ref":"1","payload":{"reason":"r"}})");
  EXPECT_EQ(phoenix_heartbeat_reply(kV1, R"("7")"),
            R"({"topic":"phoenix","event":"phx_reply","ref":"7","payload":{"status":"ok","response":{}}})");
}

}  // namespace
}  // namespace carillon
