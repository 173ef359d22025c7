#include "protocol/event_json.h"

#include <gtest/gtest.h>

#include "carillon/event.h"
#include "hub/epoch_text.h"
#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

boost::intrusive_ptr<Publication> publication(std::string_view event, std::string_view payload) {
  const boost::intrusive_ptr<Publication> made(new Publication);
  made->channel = "repo:alice/app";
  made->event = event;
  made->payload = Bytes::copy_of(payload);
  made->time_ms = 1'703'145'600'999;
  made->id = Uuid::from_random({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  return made;
}

std::string text(const PublicationPtr& made, EventNames names = EventNames::kUnderscore) {
  std::string out;
  append_event_json(out, *made, names);
  return out;
}

TEST(EventJson, WritesGutsKeysInTheirOrder) {
  EXPECT_EQ(text(publication("push", R"({"n": 1.0})")),
            R"({"type":"event","channel":"repo:alice/app","event":"push","data":{"n": 1.0},"timestamp":1703145600,)"
            R"("event_id":"01020304-0506-4708-890a-0b0c0d0e0f10"})");
}

TEST(EventJson, APositionComesAfterTheId) {
  const auto made = publication("push", "null");
  made->position = Position{.epoch = 0xab, .offset = 18'446'744'073'709'551'615u};
  const std::string json = text(made);
  EXPECT_TRUE(json.ends_with(R"(0f10","epoch":"00000000000000ab","offset":18446744073709551615})")) << json;
  EXPECT_NE(json.find(epoch_text(0xab)), std::string::npos);
}

TEST(EventJson, IsWhatTheValueTypeWritesAndReads) {
  const auto made = publication("new\"msg", R"(["é",1])");
  made->channel = "room:\"ü\"";
  const std::string json = text(made);
  const Result<Event> read = Event::from_json(json);
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->channel, made->channel);
  EXPECT_EQ(read->event, made->event);
  EXPECT_EQ(read->to_json(), json);
}

TEST(EventJson, SpellsKindsAsAskedAndLeavesOtherNames) {
  EXPECT_NE(text(publication("pr_opened", "1"), EventNames::kDotted).find(R"("event":"pr.opened")"), std::string::npos);
  EXPECT_NE(text(publication("pr.opened", "1")).find(R"("event":"pr_opened")"), std::string::npos);
  EXPECT_EQ(spelled_event_name("release.published", EventNames::kUnderscore), "release.published");
  EXPECT_EQ(spelled_event_name("new_msg", EventNames::kDotted), "new_msg");
  EXPECT_EQ(spelled_event_name("workflow_run_in_progress", EventNames::kDotted), "workflow_run.in_progress");
}

TEST(EventJson, OtherPayloadsBecomeBase64) {
  const auto made = publication("blob", std::string_view("\0\xff!", 3));
  made->format = PayloadFormat::kBytes;
  EXPECT_NE(text(made).find(R"("data":"AP8h",)"), std::string::npos);
  made->format = PayloadFormat::kCbor;
  JsonSlicer slicer;
  EXPECT_TRUE(slicer.check(text(made)));
}

}  // namespace
}  // namespace carillon
