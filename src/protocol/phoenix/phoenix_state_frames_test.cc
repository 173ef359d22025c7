#include "protocol/phoenix/phoenix_state_frames.h"

#include <gtest/gtest.h>

#include "base/manual_loop.h"
#include "protocol/link_double.h"
#include "protocol/phoenix/phoenix_encoding.h"

namespace carillon {
namespace {

class PhoenixStateFramesTest : public testing::Test {
 protected:
  FramePtr frame(const PresenceState& state, std::string_view join_ref) {
    return frames_.frame(state, {.version = PhoenixVersion::kV2, .framed = &encoding_, .join_ref = join_ref}, link_);
  }

  FrameMemory memory_;
  ManualLoop loop_;
  LinkDouble link_{memory_};
  PhoenixEncoding encoding_{PhoenixForm{}};
  PhoenixStateFrames frames_{loop_};
  PresenceState state_{
      .channel = "room:1", .version = 7, .entries = {{.key = "alice", .metas = {{.ref = "r1", .online_at_ms = 5'000}}}}};
};

TEST_F(PhoenixStateFramesTest, WhoJoinsTogetherSharesThem) {
  const FramePtr first = frame(state_, R"("1")");
  EXPECT_EQ(first->bytes(), R"(89 ["1",null,"room:1","presence_state",{"alice":{"metas":[{"phx_ref":"r1","online_at":5}]}}])");
  EXPECT_EQ(frame(state_, R"("1")"), first);
  EXPECT_NE(frame(state_, R"("2")"), first);
  EXPECT_EQ(frame(state_, R"("1")"), first);
}

TEST_F(PhoenixStateFramesTest, AnotherStateIsAnotherFrame) {
  const FramePtr first = frame(state_, R"("1")");
  state_.version = 8;
  state_.entries.clear();
  EXPECT_EQ(frame(state_, R"("1")")->bytes(), R"(39 ["1",null,"room:1","presence_state",{}])");
  state_.channel = "room:2";
  EXPECT_NE(frame(state_, R"("1")")->bytes().find("room:2"), std::string_view::npos);
}

TEST_F(PhoenixStateFramesTest, NothingIsKeptForLong) {
  for (int i = 0; i < 100; ++i) frame(state_, std::to_string(i));
  EXPECT_LT(memory_.bytes, 20 * 100u);
  loop_.advance(TimerWheel::kTick);
  EXPECT_EQ(memory_.bytes, 0u);
}

}  // namespace
}  // namespace carillon
