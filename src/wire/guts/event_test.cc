#include "carillon/event.h"

#include <gtest/gtest.h>

#include <set>

namespace carillon {
namespace {

TEST(EventKind, EveryKindHasTwoNamesThatReadBack) {
  std::set<std::string_view> names;
  for (const EventKind kind : all_event_kinds()) {
    EXPECT_EQ(parse_event_kind(wire_name(kind)), kind);
    EXPECT_EQ(parse_event_kind(dotted_name(kind)), kind);
    EXPECT_EQ(dotted_event_name(wire_name(kind)), dotted_name(kind));
    EXPECT_EQ(wire_event_name(dotted_name(kind)), wire_name(kind));
    EXPECT_EQ(dotted_event_name(dotted_name(kind)), dotted_name(kind));
    EXPECT_EQ(wire_name(kind).find('.'), std::string_view::npos);
    EXPECT_TRUE(names.insert(wire_name(kind)).second) << wire_name(kind);
  }
  EXPECT_EQ(names.size(), 32u);  // guts' 23, its 8 of CI, and repo_deleted.
}

TEST(EventKind, TheDotStandsAfterTheSubject) {
  EXPECT_EQ(dotted_name(EventKind::kPush), "push");
  EXPECT_EQ(dotted_name(EventKind::kPrOpened), "pr.opened");
  EXPECT_EQ(dotted_name(EventKind::kIssueComment), "issue.comment");
  EXPECT_EQ(dotted_event_name("workflow_run_completed"), "workflow_run.completed");
  EXPECT_EQ(wire_event_name("workflow_job.in_progress"), "workflow_job_in_progress");
  EXPECT_EQ(wire_event_name("check_run.created"), "check_run_created");
}

TEST(EventKind, OtherNamesPassUnchanged) {
  for (const char* name : {"release.published", "new_msg", "", "PUSH", "pr.opened ", "workflow.run_completed"}) {
    EXPECT_EQ(dotted_event_name(name), name);
    EXPECT_EQ(wire_event_name(name), name);
    EXPECT_EQ(parse_event_kind(name), std::nullopt);
  }
}

TEST(WebhookEvent, NamesAreReadWithoutCaseAndWithAliases) {
  EXPECT_EQ(parse_webhook_event("push"), WebhookEvent::kPush);
  EXPECT_EQ(parse_webhook_event("PUSH"), WebhookEvent::kPush);
  EXPECT_EQ(parse_webhook_event("Pull_Request"), WebhookEvent::kPullRequest);
  EXPECT_EQ(parse_webhook_event("pr"), WebhookEvent::kPullRequest);
  EXPECT_EQ(parse_webhook_event("PR_Review"), WebhookEvent::kPullRequestReview);
  EXPECT_EQ(parse_webhook_event("pr_comment"), WebhookEvent::kPullRequestComment);
  EXPECT_EQ(parse_webhook_event("issues"), WebhookEvent::kIssue);
  EXPECT_EQ(parse_webhook_event("release"), std::nullopt);
  EXPECT_EQ(parse_webhook_event(""), std::nullopt);
  for (int i = 0; i < 10; ++i) {
    const auto event = static_cast<WebhookEvent>(i);
    EXPECT_EQ(parse_webhook_event(webhook_event_name(event)), event);
  }
}

TEST(WebhookEvent, StandsForAKind) {
  EXPECT_EQ(event_kind_of(WebhookEvent::kPush), EventKind::kPush);
  EXPECT_EQ(event_kind_of(WebhookEvent::kPullRequest), EventKind::kPrOpened);
  EXPECT_EQ(event_kind_of(WebhookEvent::kPullRequestReview), EventKind::kPrReview);
  EXPECT_EQ(event_kind_of(WebhookEvent::kPullRequestComment), EventKind::kPrComment);
  EXPECT_EQ(event_kind_of(WebhookEvent::kIssue), EventKind::kIssueOpened);
  EXPECT_EQ(event_kind_of(WebhookEvent::kIssueComment), EventKind::kIssueComment);
  EXPECT_EQ(event_kind_of(WebhookEvent::kCreate), EventKind::kBranchCreated);
  EXPECT_EQ(event_kind_of(WebhookEvent::kDelete), EventKind::kBranchDeleted);
  EXPECT_EQ(event_kind_of(WebhookEvent::kFork), EventKind::kRepoCreated);
  EXPECT_EQ(event_kind_of(WebhookEvent::kStar), EventKind::kRepoUpdated);
}

const Event kSample{"repo:alice/app", "push", R"({"ref":"refs/heads/main"})", 1703145600,
                    "0b7f5c2e-1f7e-4a38-9d0b-6f2d3c4b5a69"};

TEST(Event, JsonHasGutsKeyOrder) {
  EXPECT_EQ(kSample.to_json(), R"({"type":"event","channel":"repo:alice/app","event":"push","data":{"ref":"refs/heads/main"},)"
                               R"("timestamp":1703145600,"event_id":"0b7f5c2e-1f7e-4a38-9d0b-6f2d3c4b5a69"})");
  EXPECT_EQ(kSample.kind(), EventKind::kPush);
}

TEST(Event, JsonGoesRoundWithAnyData) {
  for (const char* data : {"null", "true", "0", "-1.50", "1e2", "123456789012345678901234567890", R"("te\u0000xt \" ")", "[]",
                           "{}", R"([1,{"a":[2, 3]},"]"])", R"({"data":{"data":1},"x":"}"})"}) {
    Event event = kSample;
    event.data = data;
    const Result<Event> read = Event::from_json(event.to_json());
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(*read, event);
  }
}

TEST(Event, ReadsKeysInAnyOrderAndIgnoresOthers) {
  const Result<Event> read = Event::from_json(
      R"( {"offset":7, "event_id":"i", "d\u0061ta" : [1 , 2] , "timestamp":5,"event":"pr.opened","channel":"c","type":"event"} )");
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, (Event{"c", "pr.opened", "[1 , 2]", 5, "i"}));
  EXPECT_EQ(read->kind(), EventKind::kPrOpened);
}

TEST(Event, FaultsNameTheField) {
  const auto fault = [](std::string_view json) { return Event::from_json(json).error().text; };
  EXPECT_EQ(fault(R"({"type":"pong"})"), "event: field `type` must be one of event, not `pong`");
  EXPECT_EQ(fault(R"({"type":"event"})"), "event: missing field `channel`");
  EXPECT_EQ(fault(R"({"type":"event","channel":"c","event":1})"), "event: field `event` must be a text, not a number");
  EXPECT_EQ(fault(R"({"type":"event","channel":"c","event":"e","timestamp":1,"event_id":"i"})"), "event: missing field `data`");
  EXPECT_EQ(fault(R"({"type":"event","channel":"c","event":"e","data":1,"timestamp":1.5,"event_id":"i"})"),
            "event: field `timestamp` must be an integer of 64 bits");
  EXPECT_EQ(fault(R"({"type":"event","channel":"c","event":"e","data":1,"timestamp":-1,"event_id":"i"})"),
            "event: field `timestamp` must not be negative");
}

TEST(Event, EveryPrefixIsRefused) {
  const std::string whole = kSample.to_json();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(Event::from_json(whole.substr(0, size))) << size;
}

}  // namespace
}  // namespace carillon
