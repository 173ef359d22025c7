#include "carillon/records.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

template <class Record>
void expect_round_trip(const Record& record, std::string_view json) {
  EXPECT_EQ(record.to_json(), json);
  const Result<Record> read = Record::from_json(json);
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, record);
  for (std::size_t size = 0; size < json.size(); ++size) {
    EXPECT_FALSE(Record::from_json(json.substr(0, size))) << json.substr(0, size);
  }
}

TEST(Records, Push) {
  expect_round_trip(PushRecord{"refs/heads/main", "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
                               "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5", "alice", 3},
                    R"({"ref":"refs/heads/main","before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246",)"
                    R"("after":"59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5","pusher":"alice","commit_count":3})");
}

TEST(Records, PullRequest) {
  expect_round_trip(
      PullRequestRecord{7, "Say \"hi\"", "alice", "topic", "main", PullRequestState::merged},
      R"({"number":7,"title":"Say \"hi\"","author":"alice","source_branch":"topic","target_branch":"main","state":"merged"})");
}

TEST(Records, Issue) {
  expect_round_trip(IssueRecord{9, "Broken", "bob", IssueState::closed},
                    R"({"number":9,"title":"Broken","author":"bob","state":"closed"})");
}

TEST(Records, Comment) {
  expect_round_trip(CommentRecord{492700400, 9, "bob", "Me too\n"},
                    R"({"id":492700400,"parent_number":9,"author":"bob","body_preview":"Me too\n"})");
}

TEST(Records, Review) {
  expect_round_trip(ReviewRecord{5, 7, "carol", ReviewState::changes_requested},
                    R"({"id":5,"pr_number":7,"reviewer":"carol","state":"changes_requested"})");
  expect_round_trip(ReviewRecord{0, 7, "carol", ReviewState::dismissed},
                    R"({"id":0,"pr_number":7,"reviewer":"carol","state":"dismissed"})");
}

TEST(Records, ContinuousIntegration) {
  expect_round_trip(WorkflowRunRecord{1, "CI", 12, "main", "ab12", "push", "completed", "success"},
                    R"({"id":1,"name":"CI","run_number":12,"head_branch":"main","head_sha":"ab12","trigger":"push",)"
                    R"("status":"completed","conclusion":"success"})");
  expect_round_trip(WorkflowJobRecord{2, 1, "test", "ab12", "queued", std::nullopt},
                    R"({"id":2,"run_id":1,"name":"test","head_sha":"ab12","status":"queued","conclusion":null})");
  expect_round_trip(CheckRunRecord{3, "lint", "ab12", "in_progress", std::nullopt},
                    R"({"id":3,"name":"lint","head_sha":"ab12","status":"in_progress","conclusion":null})");
}

TEST(Records, FaultsNameTheRecordAndTheField) {
  EXPECT_EQ(PushRecord::from_json("{}").error().text, "push record: missing field `ref`");
  EXPECT_EQ(PushRecord::from_json(R"({"ref":"r","before":"b","after":"a","pusher":"p","commit_count":-1})").error().text,
            "push record: field `commit_count` must not be negative");
  EXPECT_EQ(IssueRecord::from_json(R"({"number":1.5})").error().text,
            "issue record: field `number` must be an integer of 64 bits");
  EXPECT_EQ(IssueRecord::from_json(R"({"number":18446744073709551615})").error().text,
            "issue record: field `number` must be an integer of 64 bits");
  EXPECT_EQ(IssueRecord::from_json(R"({"number":"1"})").error().text,
            "issue record: field `number` must be an integer, not a text");
  EXPECT_EQ(IssueRecord::from_json(R"({"number":1,"title":"t","author":"a","state":"merged"})").error().text,
            "issue record: field `state` must be one of open, closed, not `merged`");
  EXPECT_EQ(ReviewRecord::from_json(R"({"id":1,"pr_number":2,"reviewer":null})").error().text,
            "review record: field `reviewer` must be a text, not null");
  EXPECT_EQ(ReviewRecord::from_json("7").error().text, "review record: must be an object, not a number");
}

TEST(Records, OtherKeysAreIgnored) {
  const Result<IssueRecord> read =
      IssueRecord::from_json(R"({"webhook":"issues","state":"open","author":"a","title":"t","number":1,"labels":[]})");
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, (IssueRecord{1, "t", "a", IssueState::open}));
}

TEST(BodyPreview, CutsBetweenCharacters) {
  EXPECT_EQ(body_preview(""), "");
  const std::string fits(kBodyPreviewBytesMax, 'x');
  EXPECT_EQ(body_preview(fits), fits);
  EXPECT_EQ(body_preview(fits + "y"), fits + "…");
  const std::string almost(kBodyPreviewBytesMax - 1, 'x');
  EXPECT_EQ(body_preview(almost + "é!"), almost + "…");
  EXPECT_EQ(body_preview(std::string(kBodyPreviewBytesMax - 2, 'x') + "é!"), std::string(kBodyPreviewBytesMax - 2, 'x') + "é…");
}

}  // namespace
}  // namespace carillon
