// Typed payload records: what the `data` of the common events holds, as values with JSON both ways. Any thread.
//
// from_json ignores other keys, so it reads the `data` of a webhook's event as it was published. Its errors have the kind
// kInvalid and name the field ("push record: missing field `ref`"). An absent text of an optional field is null in JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

// {"ref","before","after","pusher","commit_count"}, for push.
struct PushRecord {
  std::string ref;     // "refs/heads/main".
  std::string before;  // The SHA the ref had; all zeros when it is new.
  std::string after;   // The SHA it has now; all zeros when it was deleted.
  std::string pusher;
  std::int64_t commit_count = 0;  // Commits, not objects; never negative.

  std::string to_json() const;
  static Result<PushRecord> from_json(std::string_view json);
  friend bool operator==(const PushRecord&, const PushRecord&) = default;
};

enum class PullRequestState : std::uint8_t { open, closed, merged };

// {"number","title","author","source_branch","target_branch","state"}, for pr_opened, pr_closed and so on.
struct PullRequestRecord {
  std::int64_t number = 0;
  std::string title;
  std::string author;
  std::string source_branch;
  std::string target_branch;
  PullRequestState state = PullRequestState::open;

  std::string to_json() const;
  static Result<PullRequestRecord> from_json(std::string_view json);
  friend bool operator==(const PullRequestRecord&, const PullRequestRecord&) = default;
};

enum class IssueState : std::uint8_t { open, closed };

// {"number","title","author","state"}, for issue_opened and so on.
struct IssueRecord {
  std::int64_t number = 0;
  std::string title;
  std::string author;
  IssueState state = IssueState::open;

  std::string to_json() const;
  static Result<IssueRecord> from_json(std::string_view json);
  friend bool operator==(const IssueRecord&, const IssueRecord&) = default;
};

// {"id","parent_number","author","body_preview"}, for issue_comment and pr_comment.
struct CommentRecord {
  std::int64_t id = 0;
  std::int64_t parent_number = 0;  // Of the issue or pull request.
  std::string author;
  std::string body_preview;  // The comment's beginning, see body_preview().

  std::string to_json() const;
  static Result<CommentRecord> from_json(std::string_view json);
  friend bool operator==(const CommentRecord&, const CommentRecord&) = default;
};

// The last two are ours: GitHub takes back an approval, and has reviews that are not sent yet.
enum class ReviewState : std::uint8_t { approved, changes_requested, commented, dismissed, pending };

// {"id","pr_number","reviewer","state"}, for pr_review.
struct ReviewRecord {
  std::int64_t id = 0;  // 0 where the source does not tell (Gitea).
  std::int64_t pr_number = 0;
  std::string reviewer;
  ReviewState state = ReviewState::commented;

  std::string to_json() const;
  static Result<ReviewRecord> from_json(std::string_view json);
  friend bool operator==(const ReviewRecord&, const ReviewRecord&) = default;
};

// {"id","name","run_number","head_branch","head_sha","trigger","status","conclusion"}, for workflow_run_….
struct WorkflowRunRecord {
  std::int64_t id = 0;
  std::string name;
  std::int64_t run_number = 0;
  std::string head_branch;
  std::string head_sha;
  std::string trigger;                    // The event that started it: "push".
  std::string status;                     // "queued", "in_progress", "completed".
  std::optional<std::string> conclusion;  // "success", "failure" …, once it is completed.

  std::string to_json() const;
  static Result<WorkflowRunRecord> from_json(std::string_view json);
  friend bool operator==(const WorkflowRunRecord&, const WorkflowRunRecord&) = default;
};

// {"id","run_id","name","head_sha","status","conclusion"}, for workflow_job_….
struct WorkflowJobRecord {
  std::int64_t id = 0;
  std::int64_t run_id = 0;
  std::string name;
  std::string head_sha;
  std::string status;
  std::optional<std::string> conclusion;

  std::string to_json() const;
  static Result<WorkflowJobRecord> from_json(std::string_view json);
  friend bool operator==(const WorkflowJobRecord&, const WorkflowJobRecord&) = default;
};

// {"id","name","head_sha","status","conclusion"}, for check_run_….
struct CheckRunRecord {
  std::int64_t id = 0;
  std::string name;
  std::string head_sha;
  std::string status;
  std::optional<std::string> conclusion;

  std::string to_json() const;
  static Result<CheckRunRecord> from_json(std::string_view json);
  friend bool operator==(const CheckRunRecord&, const CheckRunRecord&) = default;
};

// The beginning of a longer text: whole when it has at most 256 bytes, else cut before the character that would pass them
// and ended with "…".
inline constexpr std::size_t kBodyPreviewBytesMax = 256;
std::string body_preview(std::string_view body);

}  // namespace carillon
