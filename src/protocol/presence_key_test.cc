#include "protocol/presence_key.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

std::string key_of(const Identity& identity, std::string_view asked) {
  const Result<std::string> key = presence_key(identity, 0x1f, asked);
  return key ? *key : error_kind_name(key.error().kind);
}

TEST(PresenceKey, IsTheUserOrTheSession) {
  EXPECT_EQ(key_of({.user = "alice"}, ""), "alice");
  EXPECT_EQ(key_of({}, ""), "anonymous:000000000000001f");
  EXPECT_EQ(key_of({.trusted = true}, ""), "anonymous:000000000000001f");
}

TEST(PresenceKey, OnlyTheTrustedChooseAnother) {
  EXPECT_EQ(key_of({.user = "alice"}, "alice"), "alice");
  EXPECT_EQ(key_of({}, "anonymous:000000000000001f"), "anonymous:000000000000001f");
  EXPECT_EQ(key_of({.user = "alice"}, "bob"), "forbidden");
  EXPECT_EQ(key_of({.user = "alice"}, "anonymous:000000000000001f"), "forbidden");
  EXPECT_EQ(key_of({}, "bob"), "forbidden");
  EXPECT_EQ(key_of({}, "anonymous:0000000000000020"), "forbidden");
  EXPECT_EQ(key_of({.user = "backend", .trusted = true}, "bob"), "bob");
  EXPECT_EQ(key_of({.trusted = true}, "bob"), "bob");
}

}  // namespace
}  // namespace carillon
