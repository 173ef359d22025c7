#include "feature/api/steer_request.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

std::string close_fault(std::string_view body) {
  const Result<Hub::CloseChannel> read = SteerReader({}).read_close(body);
  return read ? "was read" : read.error().text;
}
std::string disconnect_fault(std::string_view body) {
  const Result<SteerReader::Disconnect> read = SteerReader({}).read_disconnect(body);
  return read ? "was read" : read.error().text;
}

TEST(SteerRequest, AChannelToClose) {
  SteerReader reader({});
  Result<Hub::CloseChannel> read = reader.read_close(R"({"channel":"user:alice/x","reason":"over","crash":true,"more":1})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->channel, "user:alice");
  EXPECT_EQ(read->reason, "over");
  EXPECT_TRUE(read->crash);
  read = reader.read_close(R"({"channel":"room:1","reason":null})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->reason, "closed by an operator");
  EXPECT_FALSE(read->crash);
  EXPECT_EQ(close_fault("{}"), "missing field `channel`");
  EXPECT_EQ(close_fault(R"({"channel":"a","crash":1})"), "field `crash` must be a boolean, not a number");
  EXPECT_EQ(close_fault(R"({"channel":"a","reason":[]})"), "field `reason` must be a string, not an array");
  EXPECT_EQ(close_fault(R"({"channel":"a","channel":"b"})"), "duplicate field `channel`");
  EXPECT_TRUE(close_fault(R"({"channel":""})").starts_with("invalid channel"));
  EXPECT_TRUE(close_fault("").starts_with("invalid JSON"));
}

TEST(SteerRequest, WhomToDisconnect) {
  SteerReader reader({});
  Result<SteerReader::Disconnect> read = reader.read_disconnect(R"({"user":"alice"})");
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<std::string>(read->whom), "alice");
  EXPECT_EQ(read->reason, "disconnected by an operator");
  read = reader.read_disconnect(R"({"session":"000000000000001f","reason":"bye","user":null})");
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<SessionId>(read->whom), 0x1fu);
  EXPECT_EQ(read->reason, "bye");
  EXPECT_EQ(disconnect_fault("{}"), "name a `user` or a `session`, and not both");
  EXPECT_EQ(disconnect_fault(R"({"user":"a","session":"1"})"), "name a `user` or a `session`, and not both");
  EXPECT_EQ(disconnect_fault(R"({"user":""})"), "field `user` must not be empty");
  EXPECT_EQ(disconnect_fault(R"({"session":"me"})"), "field `session` must be a session's id");
  EXPECT_EQ(disconnect_fault(R"({"user":1})"), "field `user` must be a string, not a number");
}

}  // namespace
}  // namespace carillon
