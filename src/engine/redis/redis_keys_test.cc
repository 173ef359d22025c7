#include "engine/redis/redis_keys.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(RedisKeys, AllOfAChannelHasOneHashTag) {
  const RedisKeys keys("x:");
  EXPECT_EQ(keys.stream("room:42"), "x:s:{room:42}");
  EXPECT_EQ(keys.idempotency("room:42", "a}b"), "x:k:{room:42}:a}b");
  EXPECT_EQ(keys.publications("a{b}c%"), "x:c:{a%7Bb%7Dc%25}");
  EXPECT_EQ(keys.members("room"), "x:p:{room}");
  EXPECT_EQ(keys.node("n1"), "x:n:{nodes}:n1");
  EXPECT_EQ(keys.state_value("a/1"), "x:v:{state}:a/1");
}

TEST(RedisKeys, AChannelComesBackFromItsName) {
  const RedisKeys keys("x:");
  for (const std::string channel : {"room", "", "a{b}c%7B", "ü\n ", "%%}}"}) {
    EXPECT_EQ(keys.channel_of_publications(keys.publications(channel)), channel);
    EXPECT_EQ(keys.channel_of_presence_diffs(keys.presence_diffs(channel)), channel);
    EXPECT_EQ(keys.channel_of_publications(keys.presence_diffs(channel)), std::nullopt);
  }
  for (const char* const other : {"", "x:", "x:c:{room", "y:c:{room}", "x:c:{a%}", "x:c:{a%41}"}) {
    EXPECT_EQ(keys.channel_of_publications(other), std::nullopt) << other;
  }
}

TEST(RedisKeys, AGlobMatchesNothingButWhatBeginsSo) {
  EXPECT_EQ(RedisKeys("x:").publications_glob(""), "x:c:{*}");
  EXPECT_EQ(RedisKeys("x[1]:").publications_glob("a*b?{"), "x\\[1\\]:c:{a\\*b\\?%7B*}");
}

}  // namespace
}  // namespace carillon
