#include "carillon/records.h"

#include <array>

#include "wire/json/json_object_reader.h"
#include "wire/json/json_writer.h"

namespace carillon {

namespace {

constexpr std::array<std::string_view, 3> kPullRequestStates = {"open", "closed", "merged"};
constexpr std::array<std::string_view, 2> kIssueStates = {"open", "closed"};
constexpr std::array<std::string_view, 5> kReviewStates = {"approved", "changes_requested", "commented", "dismissed",
                                                           "pending"};

// One object, one field a call; the commas are the writer's care.
class RecordWriter {
 public:
  RecordWriter() { writer_.begin_object(); }
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  RecordWriter& text(std::string_view key, std::string_view value) {
    writer_.key(key).string(value);
    return *this;
  }
  RecordWriter& optional_text(std::string_view key, const std::optional<std::string>& value) {
    writer_.key(key);
    if (value) {
      writer_.string(*value);
    } else {
      writer_.null();
    }
    return *this;
  }
  RecordWriter& integer(std::string_view key, std::int64_t value) {
    writer_.key(key).number(value);
    return *this;
  }
  std::string done() {
    writer_.end_object();
    return std::move(json_);
  }

 private:
  std::string json_;
  JsonWriter writer_{json_};
};

template <class Record>
Result<Record> finish(const JsonObjectReader& reader, Record record) {
  if (auto status = reader.status(); !status) return status.error();
  return record;
}

}  // namespace

std::string PushRecord::to_json() const {
  RecordWriter writer;
  writer.text("ref", ref).text("before", before).text("after", after).text("pusher", pusher);
  return writer.integer("commit_count", commit_count).done();
}

Result<PushRecord> PushRecord::from_json(std::string_view json) {
  JsonObjectReader reader("push record", json);
  PushRecord record;
  record.ref = reader.text("ref");
  record.before = reader.text("before");
  record.after = reader.text("after");
  record.pusher = reader.text("pusher");
  record.commit_count = reader.integer("commit_count");
  if (record.commit_count < 0) reader.fail("field `commit_count` must not be negative");
  return finish(reader, std::move(record));
}

std::string PullRequestRecord::to_json() const {
  RecordWriter writer;
  writer.integer("number", number).text("title", title).text("author", author);
  writer.text("source_branch", source_branch).text("target_branch", target_branch);
  return writer.text("state", kPullRequestStates[static_cast<std::size_t>(state)]).done();
}

Result<PullRequestRecord> PullRequestRecord::from_json(std::string_view json) {
  JsonObjectReader reader("pull request record", json);
  PullRequestRecord record;
  record.number = reader.integer("number");
  record.title = reader.text("title");
  record.author = reader.text("author");
  record.source_branch = reader.text("source_branch");
  record.target_branch = reader.text("target_branch");
  record.state = static_cast<PullRequestState>(reader.one_of("state", kPullRequestStates));
  return finish(reader, std::move(record));
}

std::string IssueRecord::to_json() const {
  RecordWriter writer;
  writer.integer("number", number).text("title", title).text("author", author);
  return writer.text("state", kIssueStates[static_cast<std::size_t>(state)]).done();
}

Result<IssueRecord> IssueRecord::from_json(std::string_view json) {
  JsonObjectReader reader("issue record", json);
  IssueRecord record;
  record.number = reader.integer("number");
  record.title = reader.text("title");
  record.author = reader.text("author");
  record.state = static_cast<IssueState>(reader.one_of("state", kIssueStates));
  return finish(reader, std::move(record));
}

std::string CommentRecord::to_json() const {
  RecordWriter writer;
  writer.integer("id", id).integer("parent_number", parent_number);
  return writer.text("author", author).text("body_preview", body_preview).done();
}

Result<CommentRecord> CommentRecord::from_json(std::string_view json) {
  JsonObjectReader reader("comment record", json);
  CommentRecord record;
  record.id = reader.integer("id");
  record.parent_number = reader.integer("parent_number");
  record.author = reader.text("author");
  record.body_preview = reader.text("body_preview");
  return finish(reader, std::move(record));
}

std::string ReviewRecord::to_json() const {
  RecordWriter writer;
  writer.integer("id", id).integer("pr_number", pr_number).text("reviewer", reviewer);
  return writer.text("state", kReviewStates[static_cast<std::size_t>(state)]).done();
}

Result<ReviewRecord> ReviewRecord::from_json(std::string_view json) {
  JsonObjectReader reader("review record", json);
  ReviewRecord record;
  record.id = reader.integer("id");
  record.pr_number = reader.integer("pr_number");
  record.reviewer = reader.text("reviewer");
  record.state = static_cast<ReviewState>(reader.one_of("state", kReviewStates));
  return finish(reader, std::move(record));
}

std::string WorkflowRunRecord::to_json() const {
  RecordWriter writer;
  writer.integer("id", id).text("name", name).integer("run_number", run_number).text("head_branch", head_branch);
  writer.text("head_sha", head_sha).text("trigger", trigger).text("status", status);
  return writer.optional_text("conclusion", conclusion).done();
}

Result<WorkflowRunRecord> WorkflowRunRecord::from_json(std::string_view json) {
  JsonObjectReader reader("workflow run record", json);
  WorkflowRunRecord record;
  record.id = reader.integer("id");
  record.name = reader.text("name");
  record.run_number = reader.integer("run_number");
  record.head_branch = reader.text("head_branch");
  record.head_sha = reader.text("head_sha");
  record.trigger = reader.text("trigger");
  record.status = reader.text("status");
  record.conclusion = reader.optional_text("conclusion");
  return finish(reader, std::move(record));
}

std::string WorkflowJobRecord::to_json() const {
  RecordWriter writer;
  writer.integer("id", id).integer("run_id", run_id).text("name", name).text("head_sha", head_sha);
  return writer.text("status", status).optional_text("conclusion", conclusion).done();
}

Result<WorkflowJobRecord> WorkflowJobRecord::from_json(std::string_view json) {
  JsonObjectReader reader("workflow job record", json);
  WorkflowJobRecord record;
  record.id = reader.integer("id");
  record.run_id = reader.integer("run_id");
  record.name = reader.text("name");
  record.head_sha = reader.text("head_sha");
  record.status = reader.text("status");
  record.conclusion = reader.optional_text("conclusion");
  return finish(reader, std::move(record));
}

std::string CheckRunRecord::to_json() const {
  RecordWriter writer;
  writer.integer("id", id).text("name", name).text("head_sha", head_sha);
  return writer.text("status", status).optional_text("conclusion", conclusion).done();
}

Result<CheckRunRecord> CheckRunRecord::from_json(std::string_view json) {
  JsonObjectReader reader("check run record", json);
  CheckRunRecord record;
  record.id = reader.integer("id");
  record.name = reader.text("name");
  record.head_sha = reader.text("head_sha");
  record.status = reader.text("status");
  record.conclusion = reader.optional_text("conclusion");
  return finish(reader, std::move(record));
}

std::string body_preview(std::string_view body) {
  if (body.size() <= kBodyPreviewBytesMax) return std::string(body);
  std::size_t end = kBodyPreviewBytesMax;
  while (end > 0 && (static_cast<unsigned char>(body[end]) & 0xC0) == 0x80) --end;  // Not inside a character.
  return std::string(body.substr(0, end)) + "…";
}

}  // namespace carillon
