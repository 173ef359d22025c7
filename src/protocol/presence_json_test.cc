#include "protocol/presence_json.h"

#include <gtest/gtest.h>

#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

const std::vector<PresenceEntry> kTwo = {
    {.key = "al\"ice",
     .metas = {{.ref = "r1", .online_at_ms = 1'700'000'000'123, .meta = R"({ "mood" : "busy" })", .client_id = "0/001f"},
               {.ref = "r2", .previous_ref = "r0", .online_at_ms = 5, .client_id = "0/0020"}}},
    {.key = "bob", .metas = {{.ref = "r3", .online_at_ms = 6, .client_id = "0021"}}}};

TEST(PresenceJson, MetasAreAsTheyCame) {
  std::string out;
  append_presence_json(out, kTwo, PresenceSessions::kHidden);
  EXPECT_EQ(out, R"({"al\"ice":{"metas":[{"ref":"r1","online_at":1700000000123,"meta":{ "mood" : "busy" }},)"
                 R"({"ref":"r2","online_at":5}]},"bob":{"metas":[{"ref":"r3","online_at":6}]}})");
}

TEST(PresenceJson, SessionsAreShownWithoutTheirNode) {
  std::string out;
  append_presence_json(out, kTwo, PresenceSessions::kShown);
  EXPECT_EQ(out,
            R"({"al\"ice":{"metas":[{"ref":"r1","online_at":1700000000123,"meta":{ "mood" : "busy" },"session":"001f"},)"
            R"({"ref":"r2","online_at":5,"session":"0020"}]},"bob":{"metas":[{"ref":"r3","online_at":6,"session":"0021"}]}})");
}

TEST(PresenceJson, MembersOfAnObject) {
  std::string out = "{";
  append_presence_state(out, {.channel = "c", .entries = {}, .counts = {}}, PresenceSessions::kShown);
  EXPECT_EQ(out, R"({"users":0,"members":0,"presence":{})");
  out = "{";
  append_presence_diff(out, {.channel = "c", .changes = {.joins = {kTwo[1]}, .leaves = {}}, .counts = {1, 2}});
  EXPECT_EQ(out, R"({"joins":{"bob":{"metas":[{"ref":"r3","online_at":6}]}},"leaves":{},"users":1,"members":2)");
}

TEST(PresenceJson, ManyAreValidJson) {
  PresenceState state{.channel = "c"};
  for (int i = 0; i < 10'000; ++i) {
    state.entries.push_back({.key = "user" + std::to_string(i), .metas = {{.ref = std::to_string(i), .meta = "{}"}}});
  }
  std::string out = "{";
  append_presence_state(out, state, PresenceSessions::kShown);
  EXPECT_TRUE(JsonSlicer({.depth_max = 10, .entries_max = 100'000}).check(out + '}'));
}

}  // namespace
}  // namespace carillon
