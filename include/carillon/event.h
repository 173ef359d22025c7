// Events as guts' clients know them: the kinds with their two spellings, and the envelope. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

enum class EventKind : std::uint8_t {
  kPush,
  kBranchCreated,
  kBranchDeleted,
  kTagCreated,
  kTagDeleted,
  kPrOpened,
  kPrClosed,  // Without a merge.
  kPrMerged,
  kPrUpdated,
  kPrReopened,
  kPrReview,
  kPrComment,
  kIssueOpened,
  kIssueClosed,
  kIssueReopened,
  kIssueUpdated,
  kIssueComment,
  kLabelAdded,
  kLabelRemoved,
  kRepoCreated,
  kRepoUpdated,
  kCollaboratorAdded,
  kCollaboratorRemoved,
  // Promised by guts' documents, sent by no version of it.
  kWorkflowRunRequested,
  kWorkflowRunInProgress,
  kWorkflowRunCompleted,
  kWorkflowJobQueued,
  kWorkflowJobInProgress,
  kWorkflowJobCompleted,
  kCheckRunCreated,
  kCheckRunCompleted,
  // Our own: guts says `push` when a repository is deleted.
  kRepoDeleted,
};

// All of them, in the order above.
std::span<const EventKind> all_event_kinds();

// A kind's name on the wire ("pr_opened", "workflow_run_in_progress") and as documents and logs show it ("pr.opened",
// "workflow_run.in_progress").
std::string_view wire_name(EventKind kind);
std::string_view dotted_name(EventKind kind);

// The kind of either spelling, exactly as written.
std::optional<EventKind> parse_event_kind(std::string_view name);

// From one spelling to the other. A name that is no kind ("release.published", "new_msg") comes back unchanged: the view is
// then the argument's own.
std::string_view dotted_event_name(std::string_view name);
std::string_view wire_event_name(std::string_view name);

// The events a repository's webhook may be asked for.
enum class WebhookEvent : std::uint8_t {
  kPush,
  kPullRequest,
  kPullRequestReview,
  kPullRequestComment,
  kIssue,
  kIssueComment,
  kCreate,
  kDelete,
  kFork,
  kStar,
};

// "pull_request" and so on.
std::string_view webhook_event_name(WebhookEvent event);
// Without regard to ASCII case; knows the aliases pr, pr_review, pr_comment and issues.
std::optional<WebhookEvent> parse_webhook_event(std::string_view name);
// What guts takes such an event for when it knows nothing but its name: kStar is kRepoUpdated, kFork is kRepoCreated.
EventKind event_kind_of(WebhookEvent event);

// One event as a subscriber receives it.
struct Event {
  std::string channel;         // Where it was published, not what the subscriber asked for.
  std::string event;           // A kind's wire name, or any other name.
  std::string data = "null";   // One whole JSON text.
  std::int64_t timestamp = 0;  // Unix time in seconds.
  std::string event_id;        // A UUID, lower case and hyphenated.

  std::optional<EventKind> kind() const { return parse_event_kind(event); }

  // {"type":"event","channel":…,"event":…,"data":…,"timestamp":…,"event_id":…}, the keys in this order.
  std::string to_json() const;
  // The keys in any order, others ignored; the name may have either spelling and is kept as it is. `data` is kept byte for
  // byte. Errors: kInvalid, naming the field.
  static Result<Event> from_json(std::string_view json);

  friend bool operator==(const Event&, const Event&) = default;
};

}  // namespace carillon
