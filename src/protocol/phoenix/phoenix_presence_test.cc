#include "protocol/phoenix/phoenix_presence.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

std::string state_with_meta(std::string meta) {
  const PresenceEntry entry{
      "u", {{.ref = "r1", .previous_ref = "", .online_at_ms = 1700000000999, .meta = std::move(meta), .client_id = "c"}}};
  return phoenix_presence_state({&entry, 1});
}

TEST(PhoenixPresence, NobodyIsAnEmptyObject) {
  EXPECT_EQ(phoenix_presence_state({}), "{}");
  EXPECT_EQ(phoenix_presence_diff({}), R"({"joins":{},"leaves":{}})");
}

TEST(PhoenixPresence, AUserHasAMetaForEachConnection) {
  const std::vector<PresenceEntry> entries = {
      {"alice", {{"r1", "", 1000, "", "c1"}, {"r2", "", 2000, R"({"device":"phone"})", "c2"}}},
      {"b\"\n", {{"r3", "r0", 3000, "{}", "c3"}}}};
  EXPECT_EQ(phoenix_presence_state(entries),
            R"({"alice":{"metas":[{"phx_ref":"r1","online_at":1},{"phx_ref":"r2","online_at":2,"device":"phone"}]},)"
            R"("b\"\n":{"metas":[{"phx_ref":"r3","phx_ref_prev":"r0","online_at":3}]}})");
}

TEST(PhoenixPresence, AnUpdateLeavesWithTheOldRefAndJoinsWithTheNewOne) {
  const PresenceChanges changes{.joins = {{"u", {{"r2", "r1", 1000, R"({"status":"away"})", "c"}}}},
                                .leaves = {{"u", {{"r1", "", 1000, R"({"status":"here"})", "c"}}}}};
  EXPECT_EQ(phoenix_presence_diff(changes),
            R"({"joins":{"u":{"metas":[{"phx_ref":"r2","phx_ref_prev":"r1","online_at":1,"status":"away"}]}},)"
            R"("leaves":{"u":{"metas":[{"phx_ref":"r1","online_at":1,"status":"here"}]}}})");
}

TEST(PhoenixPresence, RefsAreOursAndATimeIsTheMetasOwn) {
  EXPECT_EQ(state_with_meta(R"({"phx_ref":"forged","a":1,"phx_\u0072ef_prev":2,"phx_refs":3})"),
            R"({"u":{"metas":[{"phx_ref":"r1","online_at":1700000000,"a":1,"phx_refs":3}]}})");
  EXPECT_EQ(state_with_meta(R"({"a":1,"online_at":"today"})"),
            R"({"u":{"metas":[{"phx_ref":"r1","a":1,"online_at":"today"}]}})");
}

TEST(PhoenixPresence, NoNameComesTwice) {
  EXPECT_EQ(state_with_meta(R"({"a":1,"b":2,"\u0061":3,"online_at":4,"online_at":5})"),
            R"({"u":{"metas":[{"phx_ref":"r1","b":2,"a":3,"online_at":5}]}})");
}

TEST(PhoenixPresence, WhatIsNoObjectAddsNothing) {
  for (const char* meta : {"", "{}", "[1]", "1", "null", "{\"a\":", "\"a\"", "{\"a\":1}}"}) {
    EXPECT_EQ(state_with_meta(meta), R"({"u":{"metas":[{"phx_ref":"r1","online_at":1700000000}]}})") << meta;
  }
}

}  // namespace
}  // namespace carillon
