#include "engine/redis/redis_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/redis_node_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RedisStateTest : public testing::Test {
 protected:
  Result<void> change(std::vector<StateChange> changes) {
    return wait_for<void>([&](auto done) { node_.state().change(std::move(changes), true, std::move(done)); });
  }
  void put(std::string key, std::string value, std::int64_t expires_at_ms = 0) {
    ASSERT_TRUE(change({{.key = std::move(key), .value = std::move(value), .expires_at_ms = expires_at_ms}}));
  }
  std::optional<std::string> read(std::string key) {
    return *wait_for<std::optional<std::string>>([&](auto done) { node_.state().read(std::move(key), std::move(done)); });
  }
  std::vector<StateRecord> records(std::string prefix, std::string after = {}, std::size_t count_max = 100) {
    return *wait_for<std::vector<StateRecord>>(
        [&](auto done) { node_.state().list(std::move(prefix), std::move(after), count_max, std::move(done)); });
  }
  std::vector<std::string> list(std::string prefix, std::string after = {}, std::size_t count_max = 100) {
    std::vector<std::string> all;
    for (const StateRecord& record : records(std::move(prefix), std::move(after), count_max)) {
      all.push_back(record.key + '=' + record.value);
    }
    return all;
  }
  std::int64_t now_ms() const { return SystemClock().unix_ms(); }

  RedisProcess redis_;
  LoopThread thread_;
  RedisNodeDouble node_{thread_, soon_again({redis_.server()}), {.name = "a"}};
};

TEST_F(RedisStateTest, ChangesReadsAndLists) {
  ASSERT_TRUE(change({{.key = "a/1", .value = "one"}, {.key = "a/2", .value = "two"}, {.key = "b/1", .value = "other"}}));
  EXPECT_EQ(read("a/1"), "one");
  EXPECT_EQ(read("a/3"), std::nullopt);
  ASSERT_TRUE(change({{.key = "a/1", .value = "changed"}, {.key = "a/2", .value = std::nullopt}, {.key = "a/3", .value = ""}}));
  EXPECT_EQ(read("a/2"), std::nullopt);
  EXPECT_EQ(read("a/3"), "");
  EXPECT_THAT(list("a/"), ElementsAre("a/1=changed", "a/3="));
  EXPECT_THAT(list("a/", "a/1"), ElementsAre("a/3="));
  EXPECT_THAT(list("", "", 2), ElementsAre("a/1=changed", "a/3="));
  EXPECT_THAT(list("", "a/3"), ElementsAre("b/1=other"));
  EXPECT_THAT(list("c"), IsEmpty());
  EXPECT_THAT(list("a/", "", 0), IsEmpty());
}

TEST_F(RedisStateTest, KeysAndValuesAreBytes) {
  const std::string key("a/\0\xff\r\n{}\x80 [*", 12);
  const std::string value("\0\r\n$-1\xfe", 8);
  put(key, value);
  put("a/", "empty");
  put("a/\xff\xff", "last");
  EXPECT_EQ(read(key), value);
  EXPECT_THAT(list("a/"), ElementsAre("a/=empty", key + '=' + value, "a/\xff\xff=last"));
  EXPECT_THAT(list("a/", key), ElementsAre("a/\xff\xff=last"));
  EXPECT_THAT(list(key), ElementsAre(key + '=' + value));
  EXPECT_THAT(list("a/\xff\xff"), ElementsAre("a/\xff\xff=last"));
}

TEST_F(RedisStateTest, NobodyReadsWhatHasExpired) {
  const std::int64_t soon = now_ms() + 150;
  const std::int64_t late = now_ms() + 100'000;
  ASSERT_TRUE(change({{.key = "a/1", .value = "short", .expires_at_ms = soon},
                      {.key = "a/2", .value = "long", .expires_at_ms = late},
                      {.key = "a/3", .value = "for ever"},
                      {.key = "a/4", .value = "over", .expires_at_ms = 1}}));
  EXPECT_EQ(read("a/4"), std::nullopt);
  ASSERT_TRUE(wait_until([&] { return read("a/1") == std::nullopt; }));
  const auto left = records("a/");
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].expires_at_ms, late);
  EXPECT_EQ(left[1].expires_at_ms, 0);
  EXPECT_EQ(*redis_.command({"ZCARD", "t:i:{state}"}).number(), 2) << "its name is gone too";
  put("a/2", "kept");
  EXPECT_EQ(records("a/2")[0].expires_at_ms, 0);
}

TEST_F(RedisStateTest, NamesOfWhatHasExpiredGoThoughNobodyListsThem) {
  const std::int64_t soon = now_ms() + 50;
  std::vector<StateChange> changes;
  for (int i = 0; i < 100; ++i) changes.push_back({.key = "x/" + std::to_string(i), .value = "v", .expires_at_ms = soon});
  ASSERT_TRUE(change(std::move(changes)));
  ASSERT_TRUE(wait_until([&] {
    put("y", "v");
    return *redis_.command({"ZCARD", "t:i:{state}"}).number() == 1;
  }));
}

TEST_F(RedisStateTest, ListsMoreThanOnePageOfExpiredNames) {
  std::vector<StateChange> changes;
  const std::int64_t soon = now_ms() + 50;
  for (int i = 0; i < 50; ++i) changes.push_back({.key = "x/" + std::to_string(i), .value = "v", .expires_at_ms = soon});
  changes.push_back({.key = "x/last", .value = "here"});
  ASSERT_TRUE(change(std::move(changes)));
  ASSERT_TRUE(wait_until([&] { return keys_in(redis_, "t:v:*").size() == 1; }));
  EXPECT_THAT(list("x/", "", 3), ElementsAre("x/last=here"));
}

TEST_F(RedisStateTest, AllOfACallOrNothing) {
  put("a", "old");
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  const auto full = change({{.key = "a", .value = "new"}, {.key = "b", .value = "new"}});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kLimit);
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(read("a"), "old");
  EXPECT_EQ(read("b"), std::nullopt);
}

TEST_F(RedisStateTest, TwoNodesSeeOneState) {
  RedisNodeDouble other(thread_, soon_again({redis_.server()}), {.name = "b"});
  put("a", "1");
  const auto seen = wait_for<std::optional<std::string>>([&](auto done) { other.state().read("a", std::move(done)); });
  ASSERT_TRUE(seen);
  EXPECT_EQ(*seen, "1");
}

TEST_F(RedisStateTest, WithoutRedisItIsUnavailable) {
  redis_.kill();
  const auto refused = change({{.key = "a", .value = "1"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
}

TEST_F(RedisStateTest, WhatIsNotOursUnderAKeyIsSaid) {
  redis_.command({"SADD", "t:v:{state}:a", "1"});
  const auto read_it = wait_for<std::optional<std::string>>([&](auto done) { node_.state().read("a", std::move(done)); });
  ASSERT_FALSE(read_it);
  EXPECT_EQ(read_it.error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace carillon
