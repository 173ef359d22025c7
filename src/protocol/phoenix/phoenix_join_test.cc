#include "protocol/phoenix/phoenix_join.h"

#include <gtest/gtest.h>

#include "hub/position_text.h"

namespace carillon {
namespace {

PhoenixJoin read(std::string_view payload) {
  const Result<PhoenixJoin> join = PhoenixJoinReader().read(payload);
  EXPECT_TRUE(join) << payload;
  return join ? *join : PhoenixJoin();
}

std::string fault(std::string_view payload) {
  const Result<PhoenixJoin> join = PhoenixJoinReader().read(payload);
  return join ? "" : join.error().text;
}

TEST(PhoenixJoin, AsksForNothingOrForPositions) {
  for (const char* const payload : {"{}", "{ }", R"({"token":"x","presence":true})"}) {
    const PhoenixJoin join = read(payload);
    EXPECT_FALSE(join.positions || join.since) << payload;
    EXPECT_EQ(join.presence_key + join.presence_meta, "") << payload;
  }
  EXPECT_TRUE(read(R"({"since":null})").positions);
  EXPECT_FALSE(read(R"({"since":null})").since);
  const Position position{.epoch = 0xff, .offset = 7};
  EXPECT_EQ(read(R"({"since":{"offset":7,"epoch":"00ff"}})").since, position);
  EXPECT_EQ(read(R"({"since":"00000000000000ff:7"})").since, position);
  EXPECT_EQ(read(R"({"since":")" + position_text(position) + R"("})").since, position);
}

TEST(PhoenixJoin, SaysWhoIsPresent) {
  const PhoenixJoin join = read(R"({"presence":{"key":"al\u0069ce","meta":{"status":"away"}}})");
  EXPECT_EQ(join.presence_key, "alice");
  EXPECT_EQ(join.presence_meta, R"({"status":"away"})");
}

TEST(PhoenixJoin, RefusesWhatCannotBeMeant) {
  for (const char* const since : {"1", "{}", R"({"offset":7})", R"({"offset":-1,"epoch":"f"})", R"({"offset":1.5,"epoch":"f"})",
                                  R"({"offset":7,"epoch":"x"})", R"({"offset":7,"epoch":15})", R"("f")", R"("f:")", R"(":7")",
                                  R"("f:7:7")", "[]", "true"}) {
    EXPECT_NE(fault(R"({"since":)" + std::string(since) + "}"), "") << since;
  }
  EXPECT_EQ(fault(R"({"presence":{"key":1}})"), "presence.key must be a string");
  EXPECT_EQ(fault(R"({"presence":{"meta":[]}})"), "presence.meta must be an object");
}

}  // namespace
}  // namespace carillon
