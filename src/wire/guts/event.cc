#include "carillon/event.h"

#include <algorithm>
#include <array>

#include "wire/json/json_object_reader.h"
#include "wire/json/json_writer.h"

namespace carillon {

namespace {

struct KindRow {
  EventKind kind;
  std::string_view wire;
  std::string_view dotted;
};

// A table and not a rule: the dot stands after the subject, which may itself have underscores (workflow_run.in_progress).
constexpr std::array kKinds = {
    KindRow{EventKind::kPush, "push", "push"},
    KindRow{EventKind::kBranchCreated, "branch_created", "branch.created"},
    KindRow{EventKind::kBranchDeleted, "branch_deleted", "branch.deleted"},
    KindRow{EventKind::kTagCreated, "tag_created", "tag.created"},
    KindRow{EventKind::kTagDeleted, "tag_deleted", "tag.deleted"},
    KindRow{EventKind::kPrOpened, "pr_opened", "pr.opened"},
    KindRow{EventKind::kPrClosed, "pr_closed", "pr.closed"},
    KindRow{EventKind::kPrMerged, "pr_merged", "pr.merged"},
    KindRow{EventKind::kPrUpdated, "pr_updated", "pr.updated"},
    KindRow{EventKind::kPrReopened, "pr_reopened", "pr.reopened"},
    KindRow{EventKind::kPrReview, "pr_review", "pr.review"},
    KindRow{EventKind::kPrComment, "pr_comment", "pr.comment"},
    KindRow{EventKind::kIssueOpened, "issue_opened", "issue.opened"},
    KindRow{EventKind::kIssueClosed, "issue_closed", "issue.closed"},
    KindRow{EventKind::kIssueReopened, "issue_reopened", "issue.reopened"},
    KindRow{EventKind::kIssueUpdated, "issue_updated", "issue.updated"},
    KindRow{EventKind::kIssueComment, "issue_comment", "issue.comment"},
    KindRow{EventKind::kLabelAdded, "label_added", "label.added"},
    KindRow{EventKind::kLabelRemoved, "label_removed", "label.removed"},
    KindRow{EventKind::kRepoCreated, "repo_created", "repo.created"},
    KindRow{EventKind::kRepoUpdated, "repo_updated", "repo.updated"},
    KindRow{EventKind::kCollaboratorAdded, "collaborator_added", "collaborator.added"},
    KindRow{EventKind::kCollaboratorRemoved, "collaborator_removed", "collaborator.removed"},
    KindRow{EventKind::kWorkflowRunRequested, "workflow_run_requested", "workflow_run.requested"},
    KindRow{EventKind::kWorkflowRunInProgress, "workflow_run_in_progress", "workflow_run.in_progress"},
    KindRow{EventKind::kWorkflowRunCompleted, "workflow_run_completed", "workflow_run.completed"},
    KindRow{EventKind::kWorkflowJobQueued, "workflow_job_queued", "workflow_job.queued"},
    KindRow{EventKind::kWorkflowJobInProgress, "workflow_job_in_progress", "workflow_job.in_progress"},
    KindRow{EventKind::kWorkflowJobCompleted, "workflow_job_completed", "workflow_job.completed"},
    KindRow{EventKind::kCheckRunCreated, "check_run_created", "check_run.created"},
    KindRow{EventKind::kCheckRunCompleted, "check_run_completed", "check_run.completed"},
    KindRow{EventKind::kRepoDeleted, "repo_deleted", "repo.deleted"},
};

constexpr auto kKindList = [] {
  std::array<EventKind, kKinds.size()> list{};
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = kKinds[i].kind;
  return list;
}();

constexpr bool rows_stand_at_their_kinds() {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (static_cast<std::size_t>(kKinds[i].kind) != i) return false;
  }
  return true;
}
static_assert(rows_stand_at_their_kinds());

const KindRow& row_of(EventKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

const KindRow* find_row(std::string_view name) {
  for (const KindRow& row : kKinds) {
    if (row.wire == name || row.dotted == name) return &row;
  }
  return nullptr;
}

struct WebhookRow {
  std::string_view name;
  WebhookEvent event;
  EventKind kind;
};

// A name's first row is the name shown; the rows at the end are aliases.
constexpr std::array kWebhooks = {
    WebhookRow{"push", WebhookEvent::kPush, EventKind::kPush},
    WebhookRow{"pull_request", WebhookEvent::kPullRequest, EventKind::kPrOpened},
    WebhookRow{"pull_request_review", WebhookEvent::kPullRequestReview, EventKind::kPrReview},
    WebhookRow{"pull_request_comment", WebhookEvent::kPullRequestComment, EventKind::kPrComment},
    WebhookRow{"issue", WebhookEvent::kIssue, EventKind::kIssueOpened},
    WebhookRow{"issue_comment", WebhookEvent::kIssueComment, EventKind::kIssueComment},
    WebhookRow{"create", WebhookEvent::kCreate, EventKind::kBranchCreated},
    WebhookRow{"delete", WebhookEvent::kDelete, EventKind::kBranchDeleted},
    WebhookRow{"fork", WebhookEvent::kFork, EventKind::kRepoCreated},
    WebhookRow{"star", WebhookEvent::kStar, EventKind::kRepoUpdated},
    WebhookRow{"pr", WebhookEvent::kPullRequest, EventKind::kPrOpened},
    WebhookRow{"pr_review", WebhookEvent::kPullRequestReview, EventKind::kPrReview},
    WebhookRow{"pr_comment", WebhookEvent::kPullRequestComment, EventKind::kPrComment},
    WebhookRow{"issues", WebhookEvent::kIssue, EventKind::kIssueOpened},
};

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), same);
}

}  // namespace

std::span<const EventKind> all_event_kinds() {
  return kKindList;
}

std::string_view wire_name(EventKind kind) {
  return row_of(kind).wire;
}

std::string_view dotted_name(EventKind kind) {
  return row_of(kind).dotted;
}

std::optional<EventKind> parse_event_kind(std::string_view name) {
  if (const KindRow* row = find_row(name)) return row->kind;
  return std::nullopt;
}

std::string_view dotted_event_name(std::string_view name) {
  const KindRow* row = find_row(name);
  return row != nullptr ? row->dotted : name;
}

std::string_view wire_event_name(std::string_view name) {
  const KindRow* row = find_row(name);
  return row != nullptr ? row->wire : name;
}

std::string_view webhook_event_name(WebhookEvent event) {
  return kWebhooks[static_cast<std::size_t>(event)].name;
}

std::optional<WebhookEvent> parse_webhook_event(std::string_view name) {
  for (const WebhookRow& row : kWebhooks) {
    if (equal_ignoring_case(name, row.name)) return row.event;
  }
  return std::nullopt;
}

EventKind event_kind_of(WebhookEvent event) {
  return kWebhooks[static_cast<std::size_t>(event)].kind;
}

std::string Event::to_json() const {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("type").string("event").key("channel").string(channel).key("event").string(event);
  writer.key("data").raw(data).key("timestamp").number(timestamp).key("event_id").string(event_id).end_object();
  return out;
}

Result<Event> Event::from_json(std::string_view json) {
  JsonObjectReader reader("event", json);
  constexpr std::array<std::string_view, 1> kTypes = {"event"};
  reader.one_of("type", kTypes);
  Event event;
  event.channel = reader.text("channel");
  event.event = reader.text("event");
  event.data = reader.raw("data");
  event.timestamp = reader.integer("timestamp");
  event.event_id = reader.text("event_id");
  if (event.timestamp < 0) reader.fail("field `timestamp` must not be negative");
  if (auto status = reader.status(); !status) return status.error();
  return event;
}

}  // namespace carillon
