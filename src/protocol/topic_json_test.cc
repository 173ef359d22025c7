#include "protocol/topic_json.h"

#include <gtest/gtest.h>

#include "base/uuid_text.h"

namespace carillon {
namespace {

const Topic kTopic{.id = *parse_uuid("00112233445566778899aabbccddeeff"),
                   .name = "a \"name\"",
                   .creator = "alice",
                   .created_ms = 1'700'000'000'000,
                   .lasting = true};

TEST(TopicJsonTest, ATopicIsAnObject) {
  std::string json;
  append_topic_json(json, kTopic);
  EXPECT_EQ(json, R"({"id":"00112233-4455-6677-8899-aabbccddeeff","channel":"log:00112233-4455-6677-8899-aabbccddeeff",)"
                  R"("name":"a \"name\"","creator":"alice","created_ms":1700000000000,"lasting":true})");
}

TEST(TopicJsonTest, AChangeIsReadBack) {
  for (const TopicChange change : {TopicChange::kCreated, TopicChange::kRemoved}) {
    const auto told = read_topic_change(topic_change_json(kTopic, change));
    ASSERT_TRUE(told);
    EXPECT_EQ(told->topic, kTopic);
    EXPECT_EQ(told->change, change);
  }
}

TEST(TopicJsonTest, OtherTextsAreNone) {
  for (const char* const text :
       {"", "1", "{}", R"({"change":"created"})", R"({"change":"created","topic":{}})", R"({"change":1,"topic":{"id":"x"}})"}) {
    EXPECT_FALSE(read_topic_change(text)) << text;
  }
}

}  // namespace
}  // namespace carillon
