#include "protocol/bayeux/bayeux_replay.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

using Positions = std::vector<ChannelPosition>;

std::optional<Positions> asked(const std::string& replay, std::string_view subscription) {
  const Result<BayeuxReplayWishes> wishes = read_bayeux_replay(R"({"ack":1,"replay":)" + replay + "}", BayeuxAlphabet::kCometd);
  EXPECT_TRUE(wishes) << replay;
  return wishes ? wishes->of(subscription) : std::nullopt;
}

std::optional<ErrorKind> fault(const std::string& replay) {
  const Result<BayeuxReplayWishes> wishes = read_bayeux_replay(R"({"replay":)" + replay + "}", BayeuxAlphabet::kCometd);
  return wishes ? std::nullopt : std::optional(wishes.error().kind);
}

TEST(BayeuxReplay, ReadsWhatAClientKnows) {
  EXPECT_EQ(asked(R"({"/room/42":"ff:7"})", "/room/42"), (Positions{{"room:42", {0xff, 7}}}));
  EXPECT_EQ(asked(R"({"/room/42":{"/room/42":"ff:7"}})", "/room/42"), (Positions{{"room:42", {0xff, 7}}}));
  const std::string wide = R"({"/repo/alice/**":{"/repo/alice/app":"1:2","/repo/alice/b.c":"3:4"},"/a":null,"/b":{}})";
  EXPECT_EQ(asked(wide, "/repo/alice/**"), (Positions{{"repo:alice/app", {1, 2}}, {"repo:alice/b.c", {3, 4}}}));
  EXPECT_EQ(asked(wide, "/a"), std::nullopt);
  EXPECT_EQ(asked(wide, "/b"), Positions{}) << "it subscribed when there was nothing: all is new to it";
  EXPECT_EQ(asked(wide, "/c"), std::nullopt);
  EXPECT_EQ(asked("null", "/a"), std::nullopt);
  EXPECT_EQ(asked(R"({"/a":"1:2","/a":"1:3"})", "/a"), (Positions{{"a", {1, 3}}})) << "the last counts";
  EXPECT_TRUE(read_bayeux_replay("", BayeuxAlphabet::kCometd));
}

TEST(BayeuxReplay, RefusesWhatCannotBeMeant) {
  for (const char* const replay : {"1", "[]", R"("1:2")", R"({"/a":7})", R"({"/a":""})", R"({"/a":"7"})", R"({"/a":["1:2"]})",
                                   R"({"/a/**":"1:2"})", R"({"/a":{"/a":null}})", R"({"/a":{"/a":{}}})",
                                   R"({"/a/*":{"/a/*":"1:2"}})", R"({"/a":{"a":"1:2"}})", R"({"/a":{"/meta/a":"1:2"}})"}) {
    EXPECT_EQ(fault(replay), ErrorKind::kInvalid) << replay;
  }
}

TEST(BayeuxReplay, HoldsNoMoreThanSoManyPositions) {
  const auto many = [](std::size_t count) {
    std::string out = R"({"/a/**":{)";
    for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "\"/a/" : ",\"/a/") + std::to_string(i) + R"(":"1:2")";
    return out + "}}";
  };
  EXPECT_EQ(asked(many(kBayeuxReplayPositionsMax - 1), "/a/**")->size(), kBayeuxReplayPositionsMax - 1);
  EXPECT_EQ(fault(many(kBayeuxReplayPositionsMax)), ErrorKind::kTooLarge);
}

TEST(BayeuxReplay, WritesWhatBecameOfIt) {
  const std::vector<BayeuxReplayed> all = {{"/a/**", true, {{"a:b", {0xff, 7}}, {"a:\xC3\xA9", {1, 2}}}}, {"/c", false, {}}};
  EXPECT_EQ(
      bayeux_replay_reply(all, BayeuxAlphabet::kCometd),
      R"({"replay":{"/a/**":{"recovered":true,"positions":{"/a/b":"00000000000000ff:7","/a/~c3~a9":"0000000000000001:2"}},)"
      R"("/c":{"recovered":false,"positions":{}}}})");
  const std::vector<Gap> gaps = {{"room:42", 6}, {"", 2}};
  EXPECT_EQ(bayeux_lost(gaps, BayeuxAlphabet::kCometd), R"({"/room/42":6,"":2})");
}

}  // namespace
}  // namespace carillon
