#include "engine/redis/redis_slots.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

const RedisOptions::Server kAsked{.host = "10.0.0.1", .port = 7000};

std::optional<std::vector<RedisSlotRange>> read(std::string_view bytes) {
  RespReader reader;
  reader.feed(bytes);
  return read_cluster_slots(reader.next().value(), kAsked);
}

// What `CLUSTER KEYSLOT` says.
TEST(RedisSlotsTest, KeysHaveTheSlotsOfTheStandard) {
  EXPECT_EQ(redis_slot_of("123456789"), 0x31C3 % kRedisSlots);
  EXPECT_EQ(redis_slot_of(""), 0);
  EXPECT_EQ(redis_slot_of("foo"), 12182);
  EXPECT_EQ(redis_slot_of("somekey"), 11058);
}

TEST(RedisSlotsTest, OnlyWhatStandsInBracesCounts) {
  EXPECT_EQ(redis_slot_of("a{foo}b"), redis_slot_of("foo"));
  EXPECT_EQ(redis_slot_of("{foo}{bar}"), redis_slot_of("foo"));
  EXPECT_EQ(redis_slot_of("foo{{bar}}zap"), redis_slot_of("{bar"));
  EXPECT_NE(redis_slot_of("foo{}{bar}"), redis_slot_of("bar"));
  EXPECT_NE(redis_slot_of("foo{bar"), redis_slot_of("bar"));
}

TEST(RedisSlotsTest, ReadsWhoHasTheSlots) {
  const auto ranges = read(
      "*2\r\n*4\r\n:0\r\n:5460\r\n*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n$2\r\nid\r\n*3\r\n$9\r\n127.0.0.2\r\n:7004\r\n$2\r\nid\r\n"
      "*3\r\n:5461\r\n:16383\r\n*2\r\n$-1\r\n:7002\r\n");
  ASSERT_TRUE(ranges);
  ASSERT_EQ(ranges->size(), 2u);
  EXPECT_EQ(ranges->front().last, 5460);
  EXPECT_EQ(describe_server(ranges->front().master), "127.0.0.1:7001");
  ASSERT_EQ(ranges->front().replicas.size(), 1u);
  EXPECT_EQ(describe_server(ranges->front().replicas.front()), "127.0.0.2:7004");
  EXPECT_EQ(describe_server(ranges->back().master), "10.0.0.1:7002") << "who does not know its own address was asked at it";
}

TEST(RedisSlotsTest, RefusesWhatTellsOfNoSlots) {
  for (const char* const bytes :
       {"-ERR This instance has cluster support disabled\r\n", ":1\r\n", "*1\r\n:1\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n:5\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:65536\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n:1\r\n:1\r\n"}) {
    EXPECT_FALSE(read(bytes)) << bytes;
  }
}

TEST(RedisSlotsTest, ReadsWhereToGo) {
  const auto moved = read_redirection("MOVED 3999 127.0.0.1:6381", kAsked);
  ASSERT_TRUE(moved);
  EXPECT_TRUE(moved->for_good);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(describe_server(moved->to), "127.0.0.1:6381");
  const auto ask = read_redirection("ASK 0 ::1:6381", kAsked);
  ASSERT_TRUE(ask);
  EXPECT_FALSE(ask->for_good);
  EXPECT_EQ(describe_server(ask->to), "[::1]:6381");
  EXPECT_EQ(describe_server(read_redirection("MOVED 1 :6381", kAsked)->to), "10.0.0.1:6381");
  for (const char* const text : {"ERR MOVED", "MOVED", "MOVED 1", "MOVED x 1.1.1.1:1", "MOVED 16384 1.1.1.1:1",
                                 "MOVED 1 1.1.1.1", "MOVED 1 1.1.1.1:", "MOVED 1 1.1.1.1:65536", "ASK  "}) {
    EXPECT_FALSE(read_redirection(text, kAsked)) << text;
  }
}

}  // namespace
}  // namespace carillon
