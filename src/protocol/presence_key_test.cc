#include "protocol/presence_key.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(PresenceKey, NobodyIsPresentUnderAnothersName) {
  EXPECT_EQ(presence_key({.user = "alice"}, "bob", 1), "alice");
  EXPECT_EQ(presence_key({.user = "alice", .trusted = true}, "bob", 1), "alice");
  EXPECT_EQ(presence_key({.trusted = true}, "bob", 1), "bob");
  EXPECT_EQ(presence_key({.trusted = true}, "", 1), "anonymous:0000000000000001");
  EXPECT_EQ(presence_key({}, "bob", 0xA2), "anonymous:00000000000000a2");
}

}  // namespace
}  // namespace carillon
