#include "engine/redis/redis_entry.h"

#include <gtest/gtest.h>

#include "engine/redis/redis_gzip.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

const RedisWriter kHere{.node = "here"};
const RedisWriter kElsewhere{.node = "elsewhere"};

Draft full_draft() {
  return {.channel = "a",
          .event = "said",
          .payload = Bytes::copy_of("\x01\x02"),
          .format = PayloadFormat::kCbor,
          .identity = std::make_shared<const Identity>(Identity{.user = "alice", .trusted = true, .verified = true}),
          .publisher_session = 7,
          .deliver_to = DeliverTo::kOtherSessions,
          .own_form = true,
          .tags = {{"k", "v\"\n"}, {"k2", ""}},
          .idempotency_key = "key"};
}

void append(std::string& entries, const Draft& draft, const std::optional<std::string>& compressed, const std::string& id) {
  append_packed(entries, redis_entry(draft, compressed, id, kHere));
}

std::string message_of(const std::string& entries) {
  return pack_message(Position{5, 6}, 42, entries);
}

TEST(RedisEntry, ComesBackWhole) {
  std::string entries;
  append(entries, full_draft(), std::nullopt, redis_random_text(99));
  append(entries, {.channel = "a", .event = "plain"}, std::nullopt, redis_random_text(1));
  const std::string text = message_of(entries);
  const std::optional<RedisMessage> message = read_message(text);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->first, (Position{5, 6}));
  EXPECT_EQ(message->time_ms, 42);
  ASSERT_EQ(message->entries.size(), 2u);
  const PublicationPtr made = read_entry("a", message->first, 42, message->entries[0], kHere);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->event, "said");
  EXPECT_EQ(made->payload.view(), "\x01\x02");
  EXPECT_EQ(made->format, PayloadFormat::kCbor);
  EXPECT_EQ(made->identity->user, "alice");
  EXPECT_TRUE(made->identity->trusted && made->identity->verified);
  EXPECT_EQ(made->publisher_session, 7u);
  EXPECT_EQ(made->deliver_to, DeliverTo::kOtherSessions);
  EXPECT_TRUE(made->own_form);
  EXPECT_EQ(made->tags, full_draft().tags);
  EXPECT_EQ(made->id, publication_id({5, 6}, 99));
  const PublicationPtr elsewhere = read_entry("a", message->first, 42, message->entries[0], kElsewhere);
  EXPECT_EQ(elsewhere->publisher_session, 0u);
  EXPECT_TRUE(elsewhere->is_for(7, Identity{})) << "the session means nothing here";
  EXPECT_FALSE(elsewhere->own_form);
  EXPECT_EQ(read_entry("a", Position{5, 7}, 42, message->entries[1], kHere)->identity, nullptr);
}

TEST(RedisEntry, WhomItIsForIsKnownOnEveryNode) {
  for (const DeliverTo to : {DeliverTo::kOtherUsers, DeliverTo::kOwnUser, DeliverTo::kOwnSession}) {
    Draft draft = full_draft();
    draft.deliver_to = to;
    std::string entries;
    append(entries, draft, std::nullopt, redis_random_text(99));
    const std::string text = message_of(entries);
    const std::optional<RedisMessage> message = read_message(text);
    ASSERT_TRUE(message);
    for (const RedisWriter* reader : {&kHere, &kElsewhere}) {
      EXPECT_EQ(read_entry("a", message->first, 42, message->entries[0], *reader)->deliver_to, to);
    }
  }
}

TEST(RedisEntry, MessagesThatAreCutOrChangedAreRefusedOrReadNeverTrusted) {
  std::string entries;
  append(entries, full_draft(), std::string(300, 'x'), redis_random_text(99));
  const std::string text = message_of(entries);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::optional<RedisMessage> message = read_message(std::string_view(text).substr(0, size));
    if (message) {
      EXPECT_TRUE(message->entries.empty()) << size;
    }
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char byte : {'\0', '-', '9', '\xff', '\xdb'}) {
      std::string changed = text;
      changed[i] = byte;
      const std::optional<RedisMessage> message = read_message(changed);
      if (!message) continue;
      for (const auto& entry : message->entries) static_cast<void>(read_entry("a", message->first, 1, entry, kHere));
    }
  }
}

TEST(RedisEntry, WhatIsMissingOrNotKnownIsRefused) {
  using Words = std::vector<std::string_view>;
  const Position position{5, 6};
  EXPECT_NE(read_entry("a", position, 1, Words{"id", "1f", "event", "e", "data", "", "later", "x"}, kHere), nullptr);
  for (const Words& words : std::vector<Words>{{},
                                               {"id", "1f", "event", "e"},
                                               {"id", "1f", "data", "x"},
                                               {"event", "e", "data", "x"},
                                               {"id", "no hex", "event", "e", "data", "x"},
                                               {"id", "1f", "event", "e", "data", "x", "format", "xml"},
                                               {"id", "1f", "event", "e", "data", "x", "encoding", "br"},
                                               {"id", "1f", "event", "e", "data", "no gzip", "encoding", "gzip"},
                                               {"id", "1f", "event", "e", "data", "x", "tags", "[]"},
                                               {"id", "1f", "event", "e", "data", "x", "tags", "{\"a\":1}"},
                                               {"id", "1f", "event", "e", "data", "x", "from", "nobody"}}) {
    EXPECT_EQ(read_entry("a", position, 1, words, kHere), nullptr);
  }
}

TEST(RedisEntry, PositionsAreWrittenAsIdsOfEntries) {
  const Position largest{~std::uint64_t{0}, ~std::uint64_t{0}};
  EXPECT_EQ(parse_redis_position(redis_position(largest)), largest);
  for (const char* const text : {"", "-", "1-", "-1", "1", "1-2-3", "a-1", "1-18446744073709551616"}) {
    EXPECT_EQ(parse_redis_position(text), std::nullopt) << text;
  }
}

TEST(RedisGzip, ComesBackWholeAndIsBounded) {
  const std::string text(100'000, 'x');
  const std::optional<std::string> packed = gzip(text);
  ASSERT_TRUE(packed);
  EXPECT_LT(packed->size(), 1000u);
  EXPECT_EQ(gunzip(*packed, text.size()), text);
  EXPECT_EQ(gunzip(*packed, text.size() - 1), std::nullopt);
  EXPECT_EQ(gunzip(*packed + "x", text.size()), std::nullopt);
  EXPECT_EQ(gunzip(packed->substr(0, packed->size() - 1), text.size()), std::nullopt);
  EXPECT_EQ(gunzip("", 100), std::nullopt);
  EXPECT_EQ(gzip("abc"), std::nullopt) << "it would not be smaller";
}

}  // namespace
}  // namespace carillon
