#include "feature/ingest/webhook_mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "carillon/event.h"
#include "carillon/records.h"
#include "feature/ingest/webhook_payload.h"
#include "hub/channel_name.h"

namespace carillon {

namespace {

constexpr std::size_t kWebhookNameBytesMax = 100;

struct Delivery {
  WebhookSource source;
  std::string_view event;  // In lower case.
  std::string_view action;
  const WebhookPayload& payload;
};

// What a mapper found out; the data it has written already.
struct Meaning {
  std::string event;
  std::string_view room = {};     // The repository's sub-channel.
  bool organization_too = false;  // Also tells the organisation's channel.
  std::string former_name = {};   // The repository's full name before this, when it changed.
};

using Mapper = Result<Meaning> (*)(const Delivery&, WebhookData&);

constexpr std::string_view kPrs = "prs";
constexpr std::string_view kIssues = "issues";

std::string name_of(EventKind kind) {
  return std::string(wire_name(kind));
}

// "release.published". An action that cannot be part of a name (a repository_dispatch's is any text) stays in the data only.
std::string own_name(const Delivery& delivery) {
  if (delivery.action.empty()) return std::string(delivery.event);
  std::string name = fmt::format("{}.{}", delivery.event, delivery.action);
  return check_channel_name(name) ? name : std::string(delivery.event);
}

Error missing(const Delivery& delivery, std::string_view field) {
  return {ErrorKind::kInvalid, fmt::format("{} webhook: missing field `{}`", delivery.event, field)};
}

// --- Pushes, branches, tags

void write_commit(JsonWriter& writer, simdjson::dom::element commit) {
  const auto copy_text = [&](std::string_view key) {
    std::string_view text;
    if (commit.at_key(key).get(text) == simdjson::SUCCESS) writer.key(key).string(text);
  };
  writer.begin_object();
  copy_text("id");
  copy_text("message");
  simdjson::dom::element author;
  if (commit.at_key("author").get(author) == simdjson::SUCCESS) writer.key("author").string(login_of(author));
  copy_text("url");
  copy_text("timestamp");
  bool distinct = false;
  if (commit.at_key("distinct").get(distinct) == simdjson::SUCCESS) writer.key("distinct").boolean(distinct);
  writer.end_object();
}

Result<Meaning> map_push(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  if (payload.text("/ref").empty()) return missing(delivery, "ref");
  simdjson::dom::array commits;
  const auto found = payload.find("/commits");
  const bool listed = found && found->get(commits) == simdjson::SUCCESS;
  // The list may be cut (Gitea shows a few, GitHub 2 048); the number beside it is not.
  const std::int64_t listed_count = listed ? static_cast<std::int64_t>(commits.size()) : 0;
  const std::int64_t told_count = payload.integer("/size").value_or(payload.integer("/total_commits").value_or(0));
  data.writer().members(PushRecord{.ref = std::string(payload.text("/ref")),
                                   .before = std::string(payload.text("/before")),
                                   .after = std::string(payload.text("/after")),
                                   .pusher = std::string(payload.login("/pusher")),
                                   .commit_count = std::max(listed_count, told_count)}
                            .to_json());
  data.copy("distinct_count", "/distinct_size");
  data.copy("created", "/created");
  data.copy("deleted", "/deleted");
  data.copy("forced", "/forced");
  data.copy("compare", payload.has("/compare") ? "/compare" : "/compare_url");
  data.writer().key("commits").begin_array();
  if (listed) {
    for (const simdjson::dom::element commit : commits) write_commit(data.writer(), commit);
  }
  data.writer().end_array();
  return Meaning{name_of(EventKind::kPush)};
}

Result<Meaning> map_ref(const Delivery& delivery, WebhookData& data) {
  const std::string_view type = delivery.payload.text("/ref_type");
  const bool created = delivery.event == "create";
  if (type == "branch" || type == "tag") {
    if (delivery.payload.text("/ref").empty()) return missing(delivery, "ref");
  }
  data.copy("ref", "/ref");
  data.copy("ref_type", "/ref_type");
  data.copy("sha", "/sha");
  data.copy("default_branch", "/master_branch");
  data.copy("pusher_type", "/pusher_type");
  if (type == "branch") return Meaning{name_of(created ? EventKind::kBranchCreated : EventKind::kBranchDeleted)};
  if (type == "tag") return Meaning{name_of(created ? EventKind::kTagCreated : EventKind::kTagDeleted)};
  if (type == "repository") return Meaning{name_of(created ? EventKind::kRepoCreated : EventKind::kRepoDeleted)};
  return Meaning{own_name(delivery)};
}

// --- Pull requests

PullRequestState pull_request_state(const WebhookPayload& payload) {
  if (payload.is_true("/pull_request/merged")) return PullRequestState::merged;
  return payload.text("/pull_request/state") == "closed" ? PullRequestState::closed : PullRequestState::open;
}

EventKind pull_request_kind(const Delivery& delivery) {
  const std::string_view action = delivery.action;
  if (action == "opened") return EventKind::kPrOpened;
  if (action == "reopened") return EventKind::kPrReopened;
  if (action == "merged") return EventKind::kPrMerged;
  if (action == "closed") {
    return delivery.payload.is_true("/pull_request/merged") ? EventKind::kPrMerged : EventKind::kPrClosed;
  }
  if (action == "labeled") return EventKind::kLabelAdded;
  if (action == "unlabeled" || action == "label_cleared") return EventKind::kLabelRemoved;
  return EventKind::kPrUpdated;
}

// What an event about an issue or a pull request may tell beside it.
void write_what_changed(WebhookData& data) {
  data.copy("label", "/label/name");
  data.login("assignee", "/assignee");
  data.copy("milestone", "/milestone/title");
  data.login("requested_reviewer", "/requested_reviewer");
  data.login("requested_team", "/requested_team");
  data.whole("changes", "/changes");
}

Result<Meaning> map_review(const Delivery& delivery, WebhookData& data);

Result<Meaning> map_pull_request(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  if (delivery.action == "reviewed") return map_review(delivery, data);
  const std::optional<std::int64_t> number = payload.integer("/pull_request/number");
  if (!number) return missing(delivery, "pull_request.number");
  data.writer().members(PullRequestRecord{.number = *number,
                                          .title = std::string(payload.text("/pull_request/title")),
                                          .author = std::string(payload.login("/pull_request/user")),
                                          .source_branch = std::string(payload.text("/pull_request/head/ref")),
                                          .target_branch = std::string(payload.text("/pull_request/base/ref")),
                                          .state = pull_request_state(payload)}
                            .to_json());
  const bool merged = payload.is_true("/pull_request/merged");
  data.integer("pr_number", *number);
  data.boolean("merged", merged);
  if (merged) {
    data.copy("merge_commit", payload.has("/pull_request/merge_commit_sha") ? "/pull_request/merge_commit_sha"
                                                                            : "/pull_request/merged_commit_id");
    data.login("merged_by", "/pull_request/merged_by");
  }
  data.copy("draft", "/pull_request/draft");
  data.copy("head_sha", "/pull_request/head/sha");
  data.copy("base_sha", "/pull_request/base/sha");
  data.copy("before", "/before");
  data.copy("after", "/after");
  data.names("labels", "/pull_request/labels");
  write_what_changed(data);
  data.copy("url", "/pull_request/html_url");
  return Meaning{name_of(pull_request_kind(delivery)), kPrs};
}

// GitHub tells a state, Gitea a type that is also the event's name: pull_request_review_approved.
ReviewState review_state(const Delivery& delivery) {
  const std::string_view state = delivery.payload.text("/review/state");
  if (state == "approved") return ReviewState::approved;
  if (state == "changes_requested") return ReviewState::changes_requested;
  if (state == "dismissed") return ReviewState::dismissed;
  if (state == "pending") return ReviewState::pending;
  const std::string_view type = delivery.payload.text("/review/type");
  const std::string_view told = type.empty() ? delivery.event : type;
  if (told.ends_with("approved")) return ReviewState::approved;
  if (told.ends_with("rejected")) return ReviewState::changes_requested;
  return ReviewState::commented;
}

Result<Meaning> map_review(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  const std::optional<std::int64_t> number = payload.integer("/pull_request/number");
  if (!number) return missing(delivery, "pull_request.number");
  if (!payload.has("/review")) return missing(delivery, "review");
  const std::string_view reviewer = payload.has("/review/user") ? payload.login("/review/user") : payload.login("/sender");
  data.writer().members(ReviewRecord{.id = payload.integer("/review/id").value_or(0),
                                     .pr_number = *number,
                                     .reviewer = std::string(reviewer),
                                     .state = review_state(delivery)}
                            .to_json());
  data.copy("title", "/pull_request/title");
  data.login("author", "/pull_request/user");
  const std::string_view body = payload.has("/review/body") ? payload.text("/review/body") : payload.text("/review/content");
  data.text("body_preview", body_preview(body));
  data.copy("commit_id", payload.has("/review/commit_id") ? "/review/commit_id" : "/commit_id");
  data.whole("changes", "/changes");
  data.copy("url", payload.has("/review/html_url") ? "/review/html_url" : "/pull_request/html_url");
  return Meaning{name_of(EventKind::kPrReview), kPrs};
}

Result<Meaning> map_review_thread(const Delivery& delivery, WebhookData& data) {
  data.copy("pr_number", "/pull_request/number");
  data.copy("title", "/pull_request/title");
  data.copy("comment_id", "/thread/comments/0/id");
  data.copy("url", "/thread/comments/0/html_url");
  return Meaning{own_name(delivery), kPrs};
}

// --- Issues and comments

Result<Meaning> map_comment(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  // Gitea calls by this name a review without a verdict, too.
  if (!payload.has("/comment") && payload.has("/review")) return map_review(delivery, data);
  const bool on_pull_request =
      payload.has("/pull_request") || payload.has("/issue/pull_request") || payload.is_true("/is_pull");
  const std::string_view parent = payload.has("/issue") ? "/issue" : "/pull_request";
  const std::optional<std::int64_t> id = payload.integer("/comment/id");
  const std::optional<std::int64_t> number = payload.integer(fmt::format("{}/number", parent));
  if (!id) return missing(delivery, "comment.id");
  if (!number) return missing(delivery, fmt::format("{}.number", parent.substr(1)));
  data.writer().members(CommentRecord{.id = *id,
                                      .parent_number = *number,
                                      .author = std::string(payload.login("/comment/user")),
                                      .body_preview = body_preview(payload.text("/comment/body"))}
                            .to_json());
  data.integer(on_pull_request ? "pr_number" : "issue_number", *number);
  data.integer("comment_id", *id);
  data.copy("title", fmt::format("{}/title", parent));
  data.copy("path", "/comment/path");
  data.copy("line", "/comment/line");
  data.copy("commit_id", "/comment/commit_id");
  data.copy("in_reply_to_id", "/comment/in_reply_to_id");
  data.whole("changes", "/changes");
  data.copy("url", "/comment/html_url");
  if (on_pull_request) return Meaning{name_of(EventKind::kPrComment), kPrs};
  return Meaning{name_of(EventKind::kIssueComment), kIssues};
}

std::string issue_event(const Delivery& delivery) {
  const std::string_view action = delivery.action;
  if (action == "opened") return name_of(EventKind::kIssueOpened);
  if (action == "closed") return name_of(EventKind::kIssueClosed);
  if (action == "reopened") return name_of(EventKind::kIssueReopened);
  if (action == "labeled") return name_of(EventKind::kLabelAdded);
  if (action == "unlabeled" || action == "label_cleared") return name_of(EventKind::kLabelRemoved);
  if (action == "deleted" || action == "transferred") return own_name(delivery);  // Gone from here: no update.
  return name_of(EventKind::kIssueUpdated);
}

Result<Meaning> map_issue(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  const std::optional<std::int64_t> number = payload.integer("/issue/number");
  if (!number) return missing(delivery, "issue.number");
  const bool closed = payload.text("/issue/state") == "closed";
  data.writer().members(IssueRecord{.number = *number,
                                    .title = std::string(payload.text("/issue/title")),
                                    .author = std::string(payload.login("/issue/user")),
                                    .state = closed ? IssueState::closed : IssueState::open}
                            .to_json());
  data.integer("issue_number", *number);
  data.copy("state_reason", "/issue/state_reason");
  data.names("labels", "/issue/labels");
  data.copy("moved_to", "/changes/new_issue/html_url");
  write_what_changed(data);
  data.copy("url", "/issue/html_url");
  return Meaning{issue_event(delivery), kIssues};
}

// --- Repositories and the people in them

Result<Meaning> map_member(const Delivery& delivery, WebhookData& data) {
  data.login("collaborator", "/member");
  data.copy("permission", "/changes/permission/to");
  data.whole("changes", "/changes");
  if (delivery.action == "added") return Meaning{name_of(EventKind::kCollaboratorAdded)};
  if (delivery.action == "removed") return Meaning{name_of(EventKind::kCollaboratorRemoved)};
  return Meaning{own_name(delivery)};
}

// "owner/name" before a rename or a transfer; else empty.
std::string former_full_name(const WebhookPayload& payload) {
  const std::string_view owner = payload.login("/repository/owner");
  const std::string_view name = payload.text("/repository/name");
  if (const std::string_view from = payload.text("/changes/repository/name/from"); !from.empty()) {
    return fmt::format("{}/{}", owner, from);
  }
  std::string_view from = payload.login("/changes/owner/from/user");
  if (from.empty()) from = payload.login("/changes/owner/from/organization");
  return from.empty() ? std::string{} : fmt::format("{}/{}", from, name);
}

Result<Meaning> map_repository(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  EventKind kind = EventKind::kRepoUpdated;
  if (delivery.action == "created") kind = EventKind::kRepoCreated;
  if (delivery.action == "deleted") kind = EventKind::kRepoDeleted;
  const std::string former = former_full_name(payload);
  data.text("former_full_name", former);
  data.copy("description", "/repository/description");
  data.copy("default_branch", "/repository/default_branch");
  data.copy("private", "/repository/private");
  data.copy("archived", "/repository/archived");
  data.whole("changes", "/changes");
  // Gitea's `organization` is whoever owns the repository, people too; only GitHub's is an organisation.
  return Meaning{name_of(kind), {}, delivery.source == WebhookSource::github, former};
}

Result<Meaning> map_star(const Delivery& delivery, WebhookData& data) {
  data.boolean("starred", delivery.action == "created");
  data.copy("starred_at", "/starred_at");
  data.copy("stargazers", "/repository/stargazers_count");
  return Meaning{name_of(EventKind::kRepoUpdated)};
}

// GitHub's forkee is the new repository. Gitea's is the old one, which also owns the hook, and `repository` the new.
std::string_view forked_repository(WebhookSource source) {
  return source == WebhookSource::gitea ? "/forkee" : "/repository";
}

Result<Meaning> map_fork(const Delivery& delivery, WebhookData& data) {
  const std::string_view fork = delivery.source == WebhookSource::gitea ? "/repository" : "/forkee";
  if (!delivery.payload.has("/forkee")) return missing(delivery, "forkee");
  data.repository("fork", fork);
  data.copy("forked_from", fmt::format("{}/full_name", forked_repository(delivery.source)));
  return Meaning{name_of(EventKind::kRepoCreated)};
}

Result<Meaning> map_team(const Delivery& delivery, WebhookData& data) {
  data.summary();
  return Meaning{own_name(delivery), {}, true};
}

// --- Continuous integration

std::string ci_event(const Delivery& delivery) {
  const std::string name = own_name(delivery);
  return std::string(wire_event_name(name));
}

std::optional<std::string> conclusion_at(const WebhookPayload& payload, std::string_view pointer) {
  const std::string_view text = payload.text(pointer);
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

Result<Meaning> map_workflow_run(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  const std::optional<std::int64_t> id = payload.integer("/workflow_run/id");
  if (!id) return missing(delivery, "workflow_run.id");
  data.writer().members(WorkflowRunRecord{.id = *id,
                                          .name = std::string(payload.text("/workflow_run/name")),
                                          .run_number = payload.integer("/workflow_run/run_number").value_or(0),
                                          .head_branch = std::string(payload.text("/workflow_run/head_branch")),
                                          .head_sha = std::string(payload.text("/workflow_run/head_sha")),
                                          .trigger = std::string(payload.text("/workflow_run/event")),
                                          .status = std::string(payload.text("/workflow_run/status")),
                                          .conclusion = conclusion_at(payload, "/workflow_run/conclusion")}
                            .to_json());
  data.copy("run_attempt", "/workflow_run/run_attempt");
  data.copy("workflow_id", "/workflow_run/workflow_id");
  data.login("workflow", "/workflow");
  data.login("actor", "/workflow_run/actor");
  data.copy("created_at", "/workflow_run/created_at");
  data.copy("updated_at", "/workflow_run/updated_at");
  data.copy("url", "/workflow_run/html_url");
  return Meaning{ci_event(delivery)};
}

Result<Meaning> map_workflow_job(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  const std::optional<std::int64_t> id = payload.integer("/workflow_job/id");
  if (!id) return missing(delivery, "workflow_job.id");
  data.writer().members(WorkflowJobRecord{.id = *id,
                                          .run_id = payload.integer("/workflow_job/run_id").value_or(0),
                                          .name = std::string(payload.text("/workflow_job/name")),
                                          .head_sha = std::string(payload.text("/workflow_job/head_sha")),
                                          .status = std::string(payload.text("/workflow_job/status")),
                                          .conclusion = conclusion_at(payload, "/workflow_job/conclusion")}
                            .to_json());
  data.copy("run_attempt", "/workflow_job/run_attempt");
  data.copy("workflow", "/workflow_job/workflow_name");
  data.copy("head_branch", "/workflow_job/head_branch");
  data.copy("runner", "/workflow_job/runner_name");
  data.copy("started_at", "/workflow_job/started_at");
  data.copy("completed_at", "/workflow_job/completed_at");
  data.copy("url", "/workflow_job/html_url");
  return Meaning{ci_event(delivery)};
}

Result<Meaning> map_check_run(const Delivery& delivery, WebhookData& data) {
  const WebhookPayload& payload = delivery.payload;
  const std::optional<std::int64_t> id = payload.integer("/check_run/id");
  if (!id) return missing(delivery, "check_run.id");
  data.writer().members(CheckRunRecord{.id = *id,
                                       .name = std::string(payload.text("/check_run/name")),
                                       .head_sha = std::string(payload.text("/check_run/head_sha")),
                                       .status = std::string(payload.text("/check_run/status")),
                                       .conclusion = conclusion_at(payload, "/check_run/conclusion")}
                            .to_json());
  data.copy("head_branch", "/check_run/check_suite/head_branch");
  data.copy("app", "/check_run/app/slug");
  data.copy("output_title", "/check_run/output/title");
  data.copy("requested_action", "/requested_action/identifier");
  data.copy("started_at", "/check_run/started_at");
  data.copy("completed_at", "/check_run/completed_at");
  data.copy("url", "/check_run/html_url");
  return Meaning{ci_event(delivery)};
}

// --- Everything else

Result<Meaning> map_other(const Delivery& delivery, WebhookData& data) {
  data.summary();
  return Meaning{own_name(delivery)};
}

struct MapperRow {
  std::string_view event;
  Mapper map;
};

// GitHub's names first, then those only Gitea and Forgejo send (some versions show the finer event type as the event).
constexpr std::array kMappers = {
    MapperRow{"push", map_push},
    MapperRow{"create", map_ref},
    MapperRow{"delete", map_ref},
    MapperRow{"pull_request", map_pull_request},
    MapperRow{"pull_request_review", map_review},
    MapperRow{"pull_request_review_comment", map_comment},
    MapperRow{"pull_request_review_thread", map_review_thread},
    MapperRow{"issues", map_issue},
    MapperRow{"issue_comment", map_comment},
    MapperRow{"member", map_member},
    MapperRow{"repository", map_repository},
    MapperRow{"public", map_repository},
    MapperRow{"star", map_star},
    MapperRow{"fork", map_fork},
    MapperRow{"team", map_team},
    MapperRow{"workflow_run", map_workflow_run},
    MapperRow{"workflow_job", map_workflow_job},
    MapperRow{"check_run", map_check_run},
    MapperRow{"pull_request_approved", map_review},
    MapperRow{"pull_request_rejected", map_review},
    MapperRow{"pull_request_comment", map_comment},
    MapperRow{"pull_request_review_approved", map_review},
    MapperRow{"pull_request_review_rejected", map_review},
    MapperRow{"pull_request_assign", map_pull_request},
    MapperRow{"pull_request_label", map_pull_request},
    MapperRow{"pull_request_milestone", map_pull_request},
    MapperRow{"pull_request_sync", map_pull_request},
    MapperRow{"pull_request_review_request", map_pull_request},
    MapperRow{"issue_assign", map_issue},
    MapperRow{"issue_label", map_issue},
    MapperRow{"issue_milestone", map_issue},
};

Mapper mapper_of(std::string_view event) {
  for (const MapperRow& row : kMappers) {
    if (row.event == event) return row.map;
  }
  return map_other;
}

// --- Where it goes

bool is_full_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < name.size() &&
         name.find('/', slash + 1) == std::string_view::npos;
}

Result<std::string> repository_channel(std::string_view full_name, std::string_view room) {
  if (!is_full_name(full_name)) {
    return Error{ErrorKind::kInvalid, "the payload's `repository.full_name` must be a text of the form owner/name"};
  }
  std::string channel = fmt::format("repo:{}{}{}", full_name, room.empty() ? "" : "/", room);
  if (auto checked = check_channel_name(channel); !checked) return checked.error();
  return channel;
}

// `org:` or `user:` with the name, or nothing when it cannot be part of a channel.
std::optional<std::string> account_channel(std::string_view prefix, std::string_view login) {
  if (login.empty() || login.find('/') != std::string_view::npos) return std::nullopt;
  std::string channel = fmt::format("{}:{}", prefix, login);
  if (!check_channel_name(channel)) return std::nullopt;
  return channel;
}

// Of what belongs to no repository: its organisation, else the account it is about, else who did it.
std::string channel_without_repository(const Delivery& delivery) {
  const WebhookPayload& payload = delivery.payload;
  if (auto channel = account_channel("org", payload.login("/organization"))) return *channel;
  for (const std::string_view account :
       {"/installation/account", "/marketplace_purchase/account", "/sponsorship/sponsorable"}) {
    const bool organization = payload.text(fmt::format("{}/type", account)) == "Organization";
    if (auto channel = account_channel(organization ? "org" : "user", payload.login(account))) return *channel;
  }
  if (auto channel = account_channel("user", payload.login("/sender"))) return *channel;
  return fmt::format("webhook:{}", webhook_source_name(delivery.source));
}

Result<std::vector<std::string>> channels_of(const Delivery& delivery, const Meaning& meaning) {
  const WebhookPayload& payload = delivery.payload;
  const std::string_view repository = delivery.event == "fork" ? forked_repository(delivery.source) : "/repository";
  if (!payload.has(repository)) return std::vector{channel_without_repository(delivery)};
  auto channel = repository_channel(payload.text(fmt::format("{}/full_name", repository)), meaning.room);
  if (!channel) return channel.error();
  std::vector channels{*channel};
  if (!meaning.former_name.empty()) {
    auto former = repository_channel(meaning.former_name, meaning.room);
    if (former && *former != *channel) channels.push_back(*former);
  }
  if (meaning.organization_too) {
    if (auto organization = account_channel("org", payload.login("/organization"))) channels.push_back(*organization);
  }
  return channels;
}

// What every event tells, whatever it is.
void write_common(const Delivery& delivery, WebhookData& data) {
  data.text("webhook", delivery.event);
  data.text("source", webhook_source_name(delivery.source));
  data.text("action", delivery.action);
  data.repository("repository", delivery.event == "fork" ? forked_repository(delivery.source) : "/repository");
  if (delivery.source == WebhookSource::github || !delivery.payload.has("/repository")) {
    data.login("organization", "/organization");
  }
  data.login("sender", "/sender");
}

bool is_webhook_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kWebhookNameBytesMax && std::all_of(name.begin(), name.end(), allowed);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

std::string without_blanks(std::string_view json) {
  std::string out(json.size(), '\0');
  std::size_t size = 0;
  const simdjson::error_code error = simdjson::minify(json.data(), json.size(), out.data(), size);
  CHECK(error == simdjson::SUCCESS);  // The text has been parsed.
  out.resize(size);
  return out;
}

}  // namespace

std::string_view webhook_source_name(WebhookSource source) {
  return source == WebhookSource::github ? "github" : "gitea";
}

Result<std::vector<MappedEvent>> map_webhook(WebhookSource source, std::string_view event, std::string_view payload,
                                             WebhookMappingOptions options) {
  const std::string name = lower_case(event);
  if (!is_webhook_name(name)) {
    return Error{ErrorKind::kInvalid,
                 fmt::format("a webhook event's name has 1 to {} letters, digits, `_` and `-`", kWebhookNameBytesMax)};
  }
  const WebhookPayload parsed(payload);
  if (!parsed.status()) return parsed.status().error();
  const Delivery delivery{source, name, parsed.text("/action"), parsed};

  std::string json;
  WebhookData data(parsed, json);
  const Result<Meaning> meaning = mapper_of(name)(delivery, data);
  if (!meaning) return meaning.error();
  write_common(delivery, data);
  if (options.keep_raw) data.writer().key("raw").raw(without_blanks(payload));
  data.done();

  const Result<std::vector<std::string>> channels = channels_of(delivery, *meaning);
  if (!channels) return channels.error();
  std::vector<MappedEvent> events;
  for (const std::string& channel : *channels) events.push_back({channel, meaning->event, json});
  return events;
}

}  // namespace carillon
