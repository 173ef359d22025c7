#include "protocol/bayeux/bayeux_services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class BayeuxServicesTest : public ::testing::Test {
 protected:
  void add(std::string pattern) {
    list_.push_back({std::move(pattern), [](const BayeuxCall&) {}});
  }
  BayeuxServices::Match match(std::string_view channel) const { return BayeuxServices(list_).match(channel); }
  // The pattern that takes the channel; empty: none.
  std::string taken_by(std::string_view channel) const {
    const BayeuxServices::Match found = match(channel);
    return found.service == nullptr ? "" : found.service->pattern;
  }

  std::vector<BayeuxService> list_;
};

TEST_F(BayeuxServicesTest, AnExactNameFitsItselfOnly) {
  add("/service/echo");
  EXPECT_EQ(taken_by("/service/echo"), "/service/echo");
  EXPECT_THAT(match("/service/echo").parameters, IsEmpty());
  for (const char* other : {"/service", "/service/ech", "/service/echos", "/service/echo/x", "/echo", "/service/Echo"}) {
    EXPECT_EQ(taken_by(other), "") << other;
  }
}

TEST_F(BayeuxServicesTest, NamedSegmentsAreGivenAsParameters) {
  add("/service/room/{room}/{what}");
  EXPECT_THAT(match("/service/room/42/join").parameters, ElementsAre(Pair("room", "42"), Pair("what", "join")));
  EXPECT_EQ(taken_by("/service/room/42"), "");
  EXPECT_EQ(taken_by("/service/room/42/join/now"), "");
}

TEST_F(BayeuxServicesTest, AStarFitsOneSegmentAndTwoAnyNumber) {
  add("/service/one/*");
  add("/service/{kind}/files/**");
  EXPECT_EQ(taken_by("/service/one/a"), "/service/one/*");
  EXPECT_EQ(taken_by("/service/one"), "");
  EXPECT_EQ(taken_by("/service/one/a/b"), "");
  EXPECT_EQ(taken_by("/service/my/files/a"), "/service/{kind}/files/**");
  EXPECT_THAT(match("/service/my/files/a/b/c").parameters, ElementsAre(Pair("kind", "my")));
  EXPECT_EQ(taken_by("/service/my/files"), "") << "nothing below it";
}

TEST_F(BayeuxServicesTest, TheFirstThatFitsTakesIt) {
  add("/service/{name}");
  add("/service/echo");
  EXPECT_EQ(taken_by("/service/echo"), "/service/{name}");
}

TEST_F(BayeuxServicesTest, WithoutServicesNobodyTakesAnything) {
  EXPECT_EQ(taken_by("/service/echo"), "");
}

}  // namespace
}  // namespace carillon
