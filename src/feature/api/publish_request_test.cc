#include "feature/api/publish_request.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

class PublishRequestTest : public testing::Test {
 protected:
  std::string fault(std::string_view body) {
    const Result<Draft> draft = reader_.read_publish(body);
    if (draft) return "accepted";
    EXPECT_EQ(draft.error().kind, ErrorKind::kInvalid);
    return draft.error().text;
  }

  PublishReader reader_{{.payload_bytes_max = 64, .batch_max = 3}};
};

TEST_F(PublishRequestTest, DataStaysByteForByte) {
  const Result<Draft> draft = reader_.read_publish(
      R"({ "data" : {"a": 1.0e2, "b":[ ]}, "ch\u0061nnel":"user:alice/x","event":"n\u00e9w","idempotency_key":"k","more":[1]} )");
  ASSERT_TRUE(draft) << draft.error().text;
  EXPECT_EQ(draft->channel, "user:alice");
  EXPECT_EQ(draft->event, "néw");
  EXPECT_EQ(draft->payload.view(), R"({"a": 1.0e2, "b":[ ]})");
  EXPECT_EQ(draft->idempotency_key, "k");
}

TEST_F(PublishRequestTest, FaultsNameTheFieldOrThePlace) {
  EXPECT_EQ(fault(""), "invalid JSON: EOF while parsing a value at line 1 column 0");
  EXPECT_EQ(fault("{\n\"channel\": tru}"), "invalid JSON: expected ident at line 2 column 15");
  EXPECT_EQ(fault("[]"), "the body must be an object, not an array");
  EXPECT_EQ(fault("{}"), "missing field `channel`");
  EXPECT_EQ(fault(R"({"channel":5})"), "field `channel` must be a string, not a number");
  EXPECT_EQ(fault(R"({"channel":"a","channel":"b","event":"e","data":1})"), "duplicate field `channel`");
  EXPECT_EQ(fault(R"({"channel":"a"})"), "missing field `event`");
  EXPECT_EQ(fault(R"({"channel":"a","event":"e"})"), "missing field `data`");
  EXPECT_EQ(fault(R"({"channel":"a","event":"e","data":1,"data":2})"), "duplicate field `data`");
  EXPECT_EQ(fault(R"({"channel":"a","event":"","data":1})"),
            "invalid event: a name is 1 to 255 bytes of UTF-8 without control characters");
  EXPECT_EQ(fault(R"({"channel":"repo:x","event":"e","data":1})"),
            "invalid channel: repository channel requires owner/name format: x");
  EXPECT_EQ(fault(R"({"channel":"a","event":"e","data":1,"idempotency_key":""})"),
            "field `idempotency_key` must have 1 to 255 bytes, not 0");
  EXPECT_EQ(fault(R"({"channel":"a","event":"e","data":1,"idempotency_key":[]})"),
            "field `idempotency_key` must be a string, not an array");
  EXPECT_EQ(fault(R"({"channel":"a","event":"e","data":1,"idempotency_key":null})"), "accepted");
}

TEST_F(PublishRequestTest, TooMuchDataIsRefusedAsSuch) {
  const std::string data = '"' + std::string(63, 'x') + '"';
  const Result<Draft> draft = reader_.read_publish(R"({"channel":"a","event":"e","data":)" + data + "}");
  ASSERT_FALSE(draft);
  EXPECT_EQ(draft.error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(draft.error().text, "field `data` has 65 bytes, at most 64 are allowed");
}

TEST_F(PublishRequestTest, ABroadcastIsOneDraftForEachChannel) {
  const auto items = reader_.read_broadcast(R"({"channels":["a","repo:x","b"],"event":"e","data":[1],"idempotency_key":"k"})");
  ASSERT_TRUE(items) << items.error().text;
  ASSERT_EQ(items->size(), 3u);
  EXPECT_EQ((*items)[0].draft->channel, "a");
  EXPECT_EQ((*items)[1].channel, "repo:x");
  EXPECT_FALSE((*items)[1].draft);
  EXPECT_EQ((*items)[2].draft->payload.view(), "[1]");
  EXPECT_EQ((*items)[2].draft->idempotency_key, "k");
}

TEST_F(PublishRequestTest, WhatABroadcastHasInCommonIsWrongForAll) {
  EXPECT_EQ(reader_.read_broadcast(R"({"channels":["a"],"event":"\u0001","data":1})").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(reader_.read_broadcast(R"({"channels":["a",1],"event":"e","data":1})").error().text,
            "field `channels` must be a string, not a number");
  EXPECT_EQ(reader_.read_broadcast(R"({"channels":"a","event":"e","data":1})").error().text,
            "field `channels` must be an array, not a string");
  const auto many = reader_.read_broadcast(R"({"channels":["a","b","c","d"],"event":"e","data":1})");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(many.error().text, "field `channels` may have at most 3 items");
}

TEST_F(PublishRequestTest, ABatchJudgesEachAlone) {
  const auto items =
      reader_.read_batch(R"({"publications":[{"channel":"a","event":"e","data":null},7,{"channel":"b","event":"e"}],"x":{}})");
  ASSERT_TRUE(items) << items.error().text;
  ASSERT_EQ(items->size(), 3u);
  EXPECT_EQ((*items)[0].draft->payload.view(), "null");
  EXPECT_EQ((*items)[1].draft.error().text, "a publication must be an object, not a number");
  EXPECT_EQ((*items)[2].channel, "b");
  EXPECT_EQ((*items)[2].draft.error().text, "missing field `data`");
  EXPECT_TRUE(reader_.read_batch(R"({"publications":[]})")->empty());
  EXPECT_EQ(reader_.read_batch("{}").error().text, "missing field `publications`");
}

TEST_F(PublishRequestTest, AnItemWithTooManyMembersIsItsOwnFault) {
  std::string item = R"({"channel":"a","event":"e","data":1)";
  for (int i = 0; i < 65536; ++i) item += R"(,"":0)";
  const auto items = reader_.read_batch(R"({"publications":[)" + item + "}]}");
  ASSERT_TRUE(items) << items.error().text;
  EXPECT_FALSE(items->at(0).draft);
}

TEST_F(PublishRequestTest, AnAnnouncementIsAText) {
  EXPECT_EQ(*reader_.read_announcement(R"({"text":"back at 5 \u2665"})"), "back at 5 ♥");
  EXPECT_EQ(reader_.read_announcement(R"({"text":1})").error().text, "field `text` must be a string, not a number");
  EXPECT_EQ(reader_.read_announcement(R"({"text":")" + std::string(65, 'x') + "\"}").error().kind, ErrorKind::kTooLarge);
}

}  // namespace
}  // namespace carillon
