#include "protocol/phoenix/phoenix_poll_codec.h"

#include <gtest/gtest.h>

#include "wire/text/base64.h"

namespace carillon {
namespace {

using Frames = std::vector<std::pair<MessageKind, std::string>>;
constexpr MessageKind kText = MessageKind::kText, kBinary = MessageKind::kBinary;
constexpr std::string_view kLines = "application/x-ndjson";

Frames frames_of(std::string_view content_type, std::string_view body) {
  const auto read = read_phoenix_poll_body(content_type, body);
  Frames frames;
  if (!read) return {{kText, "refused: " + read.error().text}};
  for (const PhoenixPollFrame& frame : *read) frames.emplace_back(frame.kind, frame.bytes());
  return frames;
}

ErrorKind refusal(std::string_view content_type, std::string_view body) {
  const auto read = read_phoenix_poll_body(content_type, body);
  EXPECT_FALSE(read);
  return read ? ErrorKind::kInternal : read.error().kind;
}

TEST(PhoenixPoll, ABatchHasAFrameOnEachLine) {
  const std::string join = R"(["1","1","room:1","phx_join",{}])", push("\x00\x01", 2);
  EXPECT_EQ(frames_of(kLines, join + "\n" + base64_encode(push) + "\n" + join),
            (Frames{{kText, join}, {kBinary, push}, {kText, join}}));
  EXPECT_EQ(frames_of(kLines, "[1]\r\nAQID\r\n"), (Frames{{kText, "[1]"}, {kBinary, "\x01\x02\x03"}}));
  EXPECT_EQ(frames_of(kLines, R"({"topic":"t"})"), (Frames{{kText, R"({"topic":"t"})"}}));
  EXPECT_EQ(frames_of(kLines, ""), Frames{});
  EXPECT_EQ(frames_of(kLines, "\n\n\r\n"), Frames{});
}

TEST(PhoenixPoll, ABodyOfAnotherTypeIsOneText) {
  const std::string body = "[1]\n[2]\n";
  for (const char* type : {"application/json", "text/plain", "", "application/x-ndjson2", "x; application/x-ndjson"}) {
    EXPECT_EQ(frames_of(type, body), (Frames{{kText, body}})) << type;
  }
  for (const char* type : {"application/x-ndjson", "Application/X-NDJSON", " application/x-ndjson ; charset=utf-8"}) {
    EXPECT_EQ(frames_of(type, body).size(), 2u) << type;
  }
  EXPECT_EQ(frames_of("", ""), (Frames{{kText, ""}}));
}

TEST(PhoenixPoll, ABatchHasAHundredLinesAtMost) {
  std::string body;
  for (int i = 0; i < 100; ++i) body += "[1]\n\n";
  EXPECT_EQ(frames_of(kLines, body).size(), 100u);
  EXPECT_EQ(refusal(kLines, body + "[1]"), ErrorKind::kTooLarge);
}

TEST(PhoenixPoll, ABinaryFrameIsBounded) {
  std::string line(10'000'000, 'A');
  EXPECT_EQ(frames_of(kLines, line).at(0).second.size(), 7'500'000u);
  line += "AAAA";
  EXPECT_EQ(refusal(kLines, line), ErrorKind::kTooLarge);
}

TEST(PhoenixPoll, OneWrongLineRefusesTheBody) {
  for (const char* line : {"A", "AA", "AA=", "A===", "####", " [1]", "AAAA AAAA", "\"x\"", "\r\r", "[\xFF]"}) {
    EXPECT_EQ(refusal(kLines, std::string("[1]\n") + line + "\n[2]"), ErrorKind::kInvalid) << line;
  }
  EXPECT_EQ(refusal("application/json", "[\xC3]"), ErrorKind::kInvalid);
}

TEST(PhoenixPoll, Answers) {
  EXPECT_EQ(phoenix_poll_opened("T"), R"({"status":410,"token":"T","messages":[]})");
  std::string collected;
  EXPECT_EQ(phoenix_poll_messages("T", collected), R"({"status":204,"token":"T","messages":[]})");
  append_phoenix_poll_message(collected, R"(["1",null,"t","e",{"a":"\n"}])");
  append_phoenix_poll_message(collected, "[]");
  EXPECT_EQ(phoenix_poll_messages("T", collected),
            R"({"status":200,"token":"T","messages":["[\"1\",null,\"t\",\"e\",{\"a\":\"\\n\"}]","[]"]})");
  EXPECT_EQ(phoenix_poll_status(PhoenixPollStatus::kOk), R"({"status":200})");
  EXPECT_EQ(phoenix_poll_status(PhoenixPollStatus::kForbidden), R"({"status":403})");
  EXPECT_EQ(phoenix_poll_status(PhoenixPollStatus::kGone), R"({"status":410})");
}

}  // namespace
}  // namespace carillon
