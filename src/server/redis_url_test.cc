#include "server/redis_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RedisUrl, HasDefaults) {
  const auto url = parse_redis_url("redis://localhost");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->server.host, "localhost");
  EXPECT_EQ(url->server.port, 6379);
  EXPECT_EQ(url->database, 0u);
  EXPECT_FALSE(url->tls);
  EXPECT_TRUE(url->user.empty() && url->password.empty());
}

TEST(RedisUrl, HasEveryPart) {
  const auto url = parse_redis_url("rediss://ann:p%40ss%2F:@[::1]:7000/3");
  ASSERT_TRUE(url) << url.error().text;
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->user, "ann");
  EXPECT_EQ(url->password, "p@ss/:");
  EXPECT_EQ(url->server.host, "::1");
  EXPECT_EQ(url->server.port, 7000);
  EXPECT_EQ(url->database, 3u);
  EXPECT_EQ(parse_redis_url("redis://:secret@h/")->password, "secret");
}

TEST(RedisUrl, WhatIsWrongIsSaidWithoutThePassword) {
  const std::pair<const char*, const char*> cases[] = {
      {"localhost:6379", "redis://"}, {"http://h", "redis://"},       {"redis://", "no host"},
      {"redis://u:hush@", "no host"}, {"redis://u:hush@h:0", "port"}, {"redis://h:65536", "port"},
      {"redis://h:12x", "port"},      {"redis://h/x", "database"},    {"redis://u:hush%4@h", "hexadecimal"},
      {"redis://[::1", "bracket"},
  };
  for (const auto& [text, what] : cases) {
    const auto url = parse_redis_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(url.error().text, HasSubstr(what)) << text;
    EXPECT_THAT(url.error().text, Not(HasSubstr("hush")));
  }
}

TEST(RedisUrl, AllAddressesOfOneConfigurationAgree) {
  RedisEngineOptions options;
  options.urls = {"redis://a:1", "redis://b:2"};
  const auto redis = redis_connection(options);
  ASSERT_TRUE(redis);
  ASSERT_EQ(redis->servers.size(), 2u);
  EXPECT_EQ(redis->servers[1].port, 2);
  options.urls = {"redis://a", "rediss://b"};
  EXPECT_THAT(redis_connection(options).error().text, HasSubstr("same scheme"));
  options.urls = {};
  EXPECT_THAT(redis_connection(options).error().text, HasSubstr("empty"));
  options.urls = {"redis://a/2"};
  options.cluster = true;
  EXPECT_THAT(redis_connection(options).error().text, HasSubstr("cluster"));
}

TEST(RedisUrl, ThePasswordOfTheEnvironmentWins) {
  RedisEngineOptions options;
  options.urls = {"redis://:one@a"};
  options.password = "two";
  EXPECT_EQ(redis_connection(options)->password, "two");
}

}  // namespace
}  // namespace carillon
