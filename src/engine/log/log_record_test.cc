#include "engine/log/log_record.h"

#include <gtest/gtest.h>

#include <memory>

namespace carillon {
namespace {

constexpr std::uint32_t kRun = 77;

PublicationPtr sample() {
  auto publication = std::make_unique<Publication>();
  publication->channel = "room:42";
  publication->position = Position{.epoch = 9, .offset = 3};
  publication->time_ms = 1'795'236'701'250;
  publication->id.bytes[0] = 0xab;
  publication->event = "new_msg";
  publication->payload = Bytes::copy_of(std::string_view("{\"a\":\0}", 7));
  publication->format = PayloadFormat::kCbor;
  publication->identity = std::make_shared<const Identity>(Identity{.user = "alice", .verified = true});
  publication->publisher_session = 5;
  publication->deliver_to = DeliverTo::kOtherSessions;
  publication->tags = {{"from", "here"}, {"", "x"}};
  return PublicationPtr(publication.release());
}

std::string record_of(const Publication& publication) {
  std::string record;
  append_publication(record, publication, 1000, kRun);
  return record;
}

TEST(LogRecord, APublicationComesBackWhole) {
  const PublicationPtr written = sample();
  const PublicationPtr read = read_publication(record_of(*written), "room:42", {.epoch = 9, .offset = 3}, kRun);
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->channel, "room:42");
  EXPECT_EQ(read->position, written->position);
  EXPECT_EQ(read->time_ms, written->time_ms);
  EXPECT_EQ(read->id, written->id);
  EXPECT_EQ(read->event, "new_msg");
  EXPECT_EQ(read->payload.view(), written->payload.view());
  EXPECT_EQ(read->format, PayloadFormat::kCbor);
  ASSERT_NE(read->identity, nullptr);
  EXPECT_EQ(read->identity->user, "alice");
  EXPECT_TRUE(read->identity->verified);
  EXPECT_FALSE(read->identity->trusted);
  EXPECT_FALSE(read->is_for(5, {}));
  EXPECT_EQ(read->tags, written->tags);
}

TEST(LogRecord, ASessionOfAnEarlierRunIsNobody) {
  const PublicationPtr read = read_publication(record_of(*sample()), "room:42", {.epoch = 9, .offset = 3}, kRun + 1);
  ASSERT_NE(read, nullptr);
  EXPECT_TRUE(read->is_for(5, {}));
}

TEST(LogRecord, AUserOfAnEarlierRunIsTheSame) {
  Publication publication;
  publication.event = "e";
  publication.identity = std::make_shared<const Identity>(Identity{.user = "alice", .verified = true});
  publication.deliver_to = DeliverTo::kOtherUsers;
  const PublicationPtr read = read_publication(record_of(publication), "room:42", {.epoch = 9, .offset = 3}, kRun + 1);
  ASSERT_NE(read, nullptr);
  EXPECT_FALSE(read->is_for(5, {.user = "alice", .verified = true}));
  EXPECT_TRUE(read->is_for(5, {.user = "bob", .verified = true}));
}

TEST(LogRecord, TheHeadSaysTimeAndBytes) {
  const auto head = read_publication_head(record_of(*sample()));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->time_ms, 1'795'236'701'250);
  EXPECT_EQ(head->bytes_before, 1000u);
}

TEST(LogRecord, NoPartOfAPublicationIsTakenForOne) {
  const std::string record = record_of(*sample());
  for (std::size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(read_publication(std::string_view(record).substr(0, size), "c", {}, kRun), nullptr) << size;
  }
  EXPECT_EQ(read_publication(record + "x", "c", {}, kRun), nullptr);
}

TEST(LogRecord, AChannelComesBackAndContradictionsAreRefused) {
  LogChannelRecord channel{.number = 4,
                           .top = {.epoch = 9, .offset = 10},
                           .oldest = 6,
                           .erased = 5,
                           .bytes_ever = 900,
                           .bytes_gone = 500,
                           .last_ms = 12};
  std::string bytes;
  append_channel(bytes, channel);
  const auto read = read_channel(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 4u);
  EXPECT_EQ(read->top, channel.top);
  EXPECT_EQ(read->count(), 5u);
  EXPECT_EQ(read->bytes(), 400u);
  EXPECT_EQ(read->last_ms, 12);
  channel.oldest = 12;
  bytes.clear();
  append_channel(bytes, channel);
  EXPECT_FALSE(read_channel(bytes));
}

TEST(LogRecord, ReceiptsAndStateComeBack) {
  std::string bytes;
  append_receipt(bytes, {.position = Position{.epoch = 9, .offset = 3}, .id = sample()->id, .time_ms = 5});
  const auto receipt = read_receipt(bytes);
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->position, (Position{.epoch = 9, .offset = 3}));
  EXPECT_EQ(receipt->id, sample()->id);
  EXPECT_EQ(receipt->time_ms, 5);
  EXPECT_FALSE(read_receipt(bytes.substr(1)));

  bytes.clear();
  append_expiring(bytes, "value", 99);
  const auto expiring = read_expiring(bytes);
  ASSERT_TRUE(expiring);
  EXPECT_EQ(expiring->value, "value");
  EXPECT_EQ(expiring->expires_at_ms, 99);
  EXPECT_FALSE(read_expiring("\x02"));
}

}  // namespace
}  // namespace carillon
