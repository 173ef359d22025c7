#include "feature/ingest/webhook_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "carillon/event.h"
#include "carillon/records.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What every payload below ends with.
constexpr std::string_view kAbout =
    R"("repository":{"id":1,"name":"app","full_name":"alice/app","owner":{"login":"alice","id":5},)"
    R"("html_url":"https://github.com/alice/app","stargazers_count":7},"sender":{"login":"bob","id":9,"type":"User"}})";
constexpr std::string_view kOrganization = R"("organization":{"login":"acme","id":3},"sender":{"login":"bob"}})";

constexpr std::string_view kPullRequest =
    R"("pull_request":{"id":77,"number":7,"state":"open","title":"Fix it","user":{"login":"carol"},"body":"b","draft":false,)"
    R"("merged":false,"merge_commit_sha":"cccc","merged_by":null,"head":{"ref":"topic","sha":"aaaa"},"base":{"ref":"main","sha":"bbbb"},)"
    R"("labels":[{"name":"bug"}],"html_url":"https://github.com/alice/app/pull/7"},)";
constexpr std::string_view kMergedPullRequest =
    R"("pull_request":{"number":7,"state":"closed","title":"Fix it","user":{"login":"carol"},"merged":true,"merge_commit_sha":"cccc",)"
    R"("merged_by":{"login":"dave"},"head":{"ref":"topic","sha":"aaaa"},"base":{"ref":"main","sha":"bbbb"}},)";
constexpr std::string_view kIssue =
    R"("issue":{"id":99,"number":12,"state":"open","title":"Broken","user":{"login":"carol"},"labels":[],)"
    R"("html_url":"https://github.com/alice/app/issues/12"},)";
constexpr std::string_view kIssueOfPullRequest =
    R"("issue":{"number":7,"title":"Fix it","user":{"login":"carol"},"pull_request":{"url":"u"}},)";
constexpr std::string_view kComment =
    R"("comment":{"id":55,"user":{"login":"dave"},"body":"Me too","html_url":"https://github.com/alice/app/issues/12#c55"},)";

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::string with_action(std::string_view action, std::string_view rest) {
  return joined({R"({"action":")", action, R"(",)", rest, kAbout});
}

// One event's data to look into.
class Data {
 public:
  explicit Data(std::string_view json) {
    EXPECT_EQ(parser_.parse(json.data(), json.size()).get(root_), simdjson::SUCCESS) << json;
  }

  // The value at a JSON pointer, as JSON text; "absent" when there is none.
  std::string at(std::string_view pointer) const {
    simdjson::dom::element value;
    return root_.at_pointer(pointer).get(value) == simdjson::SUCCESS ? simdjson::minify(value) : "absent";
  }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

std::vector<MappedEvent> map(WebhookSource source, std::string_view event, std::string_view payload,
                             WebhookMappingOptions options = {}) {
  Result<std::vector<MappedEvent>> mapped = map_webhook(source, event, payload, options);
  if (!mapped) {
    ADD_FAILURE() << event << ": " << mapped.error().text;
    return {{"", "", "{}"}};
  }
  return *mapped;
}

MappedEvent github(std::string_view event, std::string_view payload) {
  std::vector<MappedEvent> events = map(WebhookSource::github, event, payload);
  EXPECT_EQ(events.size(), 1u);
  return events[0];
}

MappedEvent gitea(std::string_view event, std::string_view payload) {
  std::vector<MappedEvent> events = map(WebhookSource::gitea, event, payload);
  EXPECT_EQ(events.size(), 1u);
  return events[0];
}

std::string where(const MappedEvent& event) {
  return event.channel + " " + event.event;
}

std::string fault(std::string_view event, std::string_view payload) {
  const Result<std::vector<MappedEvent>> mapped = map_webhook(WebhookSource::github, event, payload);
  if (mapped) return "accepted";
  EXPECT_EQ(mapped.error().kind, ErrorKind::kInvalid);
  return mapped.error().text;
}

// --- Pushes, branches, tags

const std::string kPush = joined(
    {R"({"ref":"refs/heads/main","before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","after":"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",)",
     R"("created":false,"deleted":false,"forced":true,"base_ref":null,"compare":"https://github.com/alice/app/compare/61...0d",)",
     R"("commits":[{"id":"aa","message":"One","timestamp":"2019-05-15T15:20:41Z","url":"u1","distinct":true,"author":{"name":"Bob","email":"b@x","username":"bob"}},)",
     R"({"id":"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c","message":"Two","distinct":false,"author":{"name":"Guest","email":"g@x"}}],)",
     R"("head_commit":null,"pusher":{"name":"bob","email":"b@x"},)", kAbout});

TEST(GithubMapping, PushHasTrueCountsAndShas) {
  const MappedEvent event = github("push", kPush);
  EXPECT_EQ(where(event), "repo:alice/app push");
  EXPECT_EQ(
      event.data,
      R"({"ref":"refs/heads/main","before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","after":"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",)"
      R"("pusher":"bob","commit_count":2,"created":false,"deleted":false,"forced":true,)"
      R"("compare":"https://github.com/alice/app/compare/61...0d","commits":[)"
      R"({"id":"aa","message":"One","author":"bob","url":"u1","timestamp":"2019-05-15T15:20:41Z","distinct":true},)"
      R"({"id":"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c","message":"Two","author":"Guest","distinct":false}],)"
      R"("webhook":"push","source":"github",)"
      R"("repository":{"owner":"alice","name":"app","full_name":"alice/app","url":"https://github.com/alice/app"},"sender":"bob"})");
  const Result<PushRecord> record = PushRecord::from_json(event.data);
  ASSERT_TRUE(record) << record.error().text;
  EXPECT_EQ(record->commit_count, 2);
}

TEST(GithubMapping, PushOfADeletedBranchHasNoCommits) {
  const MappedEvent event =
      github("push", joined({R"({"ref":"refs/heads/x","before":"aa","after":"0000000000000000000000000000000000000000",)",
                             R"("deleted":true,"commits":[],"pusher":{"name":"bob"},)", kAbout}));
  const Data data(event.data);
  EXPECT_EQ(data.at("/commit_count"), "0");
  EXPECT_EQ(data.at("/commits"), "[]");
  EXPECT_EQ(data.at("/deleted"), "true");
}

TEST(GithubMapping, AToldSizeBeatsACutList) {
  const MappedEvent event =
      github("push", joined({R"({"ref":"r","size":3000,"distinct_size":2999,"commits":[{"id":"a"}],)", kAbout}));
  EXPECT_EQ(Data(event.data).at("/commit_count"), "3000");
  EXPECT_EQ(Data(event.data).at("/distinct_count"), "2999");
}

TEST(GithubMapping, BranchesAndTags) {
  const auto ref = [](std::string_view event, std::string_view type) {
    return github(event,
                  joined({R"({"ref":"v1","ref_type":")", type, R"(","master_branch":"main","pusher_type":"user",)", kAbout}));
  };
  EXPECT_EQ(where(ref("create", "branch")), "repo:alice/app branch_created");
  EXPECT_EQ(where(ref("create", "tag")), "repo:alice/app tag_created");
  EXPECT_EQ(where(ref("delete", "branch")), "repo:alice/app branch_deleted");
  EXPECT_EQ(where(ref("delete", "tag")), "repo:alice/app tag_deleted");
  EXPECT_EQ(where(ref("create", "repository")), "repo:alice/app repo_created");
  EXPECT_EQ(where(ref("create", "moon")), "repo:alice/app create");
  EXPECT_EQ(Data(ref("create", "tag").data).at("/ref"), R"("v1")");
}

// --- Pull requests

TEST(GithubMapping, PullRequestOpened) {
  const MappedEvent event = github("pull_request", with_action("opened", kPullRequest));
  EXPECT_EQ(where(event), "repo:alice/app/prs pr_opened");
  EXPECT_EQ(*PullRequestRecord::from_json(event.data),
            (PullRequestRecord{7, "Fix it", "carol", "topic", "main", PullRequestState::open}));
  const Data data(event.data);
  EXPECT_EQ(data.at("/pr_number"), "7");
  EXPECT_EQ(data.at("/merged"), "false");
  EXPECT_EQ(data.at("/merge_commit"), "absent") << "GitHub's test merge is no merge";
  EXPECT_EQ(data.at("/head_sha"), R"("aaaa")");
  EXPECT_EQ(data.at("/labels"), R"(["bug"])");
  EXPECT_EQ(data.at("/action"), R"("opened")");
  EXPECT_EQ(data.at("/url"), R"("https://github.com/alice/app/pull/7")");
}

TEST(GithubMapping, PullRequestClosedIsMergedOnlyWhenItWas) {
  const MappedEvent merged = github("pull_request", with_action("closed", kMergedPullRequest));
  EXPECT_EQ(where(merged), "repo:alice/app/prs pr_merged");
  EXPECT_EQ(Data(merged.data).at("/merged"), "true");
  EXPECT_EQ(Data(merged.data).at("/merge_commit"), R"("cccc")");
  EXPECT_EQ(Data(merged.data).at("/merged_by"), R"("dave")");
  EXPECT_EQ(Data(merged.data).at("/state"), R"("merged")");
  EXPECT_EQ(where(github("pull_request", with_action("closed", kPullRequest))), "repo:alice/app/prs pr_closed");
}

TEST(GithubMapping, PullRequestActions) {
  const auto kind = [](std::string_view action) { return github("pull_request", with_action(action, kPullRequest)).event; };
  EXPECT_EQ(kind("reopened"), "pr_reopened");
  for (const char* action : {"synchronize", "edited", "assigned", "unassigned", "review_requested", "review_request_removed",
                             "ready_for_review", "converted_to_draft", "locked", "unlocked", "auto_merge_enabled", "enqueued",
                             "dequeued", "milestoned", "something_new"}) {
    EXPECT_EQ(kind(action), "pr_updated") << action;
  }
}

TEST(GithubMapping, PullRequestUpdatesTellWhatChanged) {
  const MappedEvent pushed =
      github("pull_request", with_action("synchronize", joined({R"("before":"x1","after":"x2",)", kPullRequest})));
  EXPECT_EQ(Data(pushed.data).at("/before"), R"("x1")");
  EXPECT_EQ(Data(pushed.data).at("/after"), R"("x2")");
  const MappedEvent edited =
      github("pull_request", with_action("edited", joined({R"("changes":{"title":{"from":"Old"}},)", kPullRequest})));
  EXPECT_EQ(Data(edited.data).at("/changes/title/from"), R"("Old")");
  const MappedEvent asked = github(
      "pull_request", with_action("review_requested", joined({R"("requested_reviewer":{"login":"erin"},)", kPullRequest})));
  EXPECT_EQ(Data(asked.data).at("/requested_reviewer"), R"("erin")");
}

TEST(GithubMapping, LabelsStayWithWhatTheyAreOn) {
  const auto labeled = [](std::string_view event, std::string_view action, std::string_view subject) {
    return github(event, with_action(action, joined({R"("label":{"id":1,"name":"bug"},)", subject})));
  };
  EXPECT_EQ(where(labeled("pull_request", "labeled", kPullRequest)), "repo:alice/app/prs label_added");
  EXPECT_EQ(where(labeled("pull_request", "unlabeled", kPullRequest)), "repo:alice/app/prs label_removed");
  EXPECT_EQ(where(labeled("issues", "labeled", kIssue)), "repo:alice/app/issues label_added");
  EXPECT_EQ(where(labeled("issues", "unlabeled", kIssue)), "repo:alice/app/issues label_removed");
  const Data data(labeled("issues", "labeled", kIssue).data);
  EXPECT_EQ(data.at("/label"), R"("bug")");
  EXPECT_EQ(data.at("/issue_number"), "12");
}

TEST(GithubMapping, Reviews) {
  const auto review = [](std::string_view state) {
    return github(
        "pull_request_review",
        with_action("submitted", joined({R"("review":{"id":3,"user":{"login":"erin"},"body":null,"commit_id":"aaaa","state":")",
                                         state, R"(","html_url":"h"},)", kPullRequest})));
  };
  EXPECT_EQ(where(review("approved")), "repo:alice/app/prs pr_review");
  EXPECT_EQ(*ReviewRecord::from_json(review("approved").data), (ReviewRecord{3, 7, "erin", ReviewState::approved}));
  EXPECT_EQ(ReviewRecord::from_json(review("changes_requested").data)->state, ReviewState::changes_requested);
  EXPECT_EQ(ReviewRecord::from_json(review("commented").data)->state, ReviewState::commented);
  EXPECT_EQ(ReviewRecord::from_json(review("dismissed").data)->state, ReviewState::dismissed);
}

TEST(GithubMapping, CommentsGoWhereTheirSubjectIs) {
  const MappedEvent on_code = github("pull_request_review_comment", with_action("created", joined({kComment, kPullRequest})));
  EXPECT_EQ(where(on_code), "repo:alice/app/prs pr_comment");
  EXPECT_EQ(*CommentRecord::from_json(on_code.data), (CommentRecord{55, 7, "dave", "Me too"}));
  EXPECT_EQ(Data(on_code.data).at("/pr_number"), "7");
  const MappedEvent on_pull_request = github("issue_comment", with_action("created", joined({kIssueOfPullRequest, kComment})));
  EXPECT_EQ(where(on_pull_request), "repo:alice/app/prs pr_comment");
  EXPECT_EQ(Data(on_pull_request.data).at("/pr_number"), "7");
  const MappedEvent on_issue = github("issue_comment", with_action("edited", joined({kIssue, kComment})));
  EXPECT_EQ(where(on_issue), "repo:alice/app/issues issue_comment");
  EXPECT_EQ(*CommentRecord::from_json(on_issue.data), (CommentRecord{55, 12, "dave", "Me too"}));
  EXPECT_EQ(Data(on_issue.data).at("/issue_number"), "12");
  EXPECT_EQ(Data(on_issue.data).at("/comment_id"), "55");
  EXPECT_EQ(Data(on_issue.data).at("/title"), R"("Broken")");
}

TEST(GithubMapping, ReviewThreadsKeepTheirName) {
  const MappedEvent event = github("pull_request_review_thread",
                                   with_action("resolved", joined({R"("thread":{"comments":[{"id":8}]},)", kPullRequest})));
  EXPECT_EQ(where(event), "repo:alice/app/prs pull_request_review_thread.resolved");
  EXPECT_EQ(Data(event.data).at("/pr_number"), "7");
}

// --- Issues

TEST(GithubMapping, Issues) {
  const auto issue = [](std::string_view action) { return github("issues", with_action(action, kIssue)); };
  EXPECT_EQ(where(issue("opened")), "repo:alice/app/issues issue_opened");
  EXPECT_EQ(where(issue("closed")), "repo:alice/app/issues issue_closed");
  EXPECT_EQ(where(issue("reopened")), "repo:alice/app/issues issue_reopened");
  EXPECT_EQ(where(issue("edited")), "repo:alice/app/issues issue_updated");
  EXPECT_EQ(where(issue("assigned")), "repo:alice/app/issues issue_updated");
  EXPECT_EQ(where(issue("pinned")), "repo:alice/app/issues issue_updated");
  EXPECT_EQ(where(issue("deleted")), "repo:alice/app/issues issues.deleted");
  EXPECT_EQ(where(issue("transferred")), "repo:alice/app/issues issues.transferred");
  EXPECT_EQ(*IssueRecord::from_json(issue("opened").data), (IssueRecord{12, "Broken", "carol", IssueState::open}));
  EXPECT_EQ(Data(issue("opened").data).at("/issue_number"), "12");
}

TEST(GithubMapping, AnAuthorWhoIsGoneHasNoName) {
  const MappedEvent event =
      github("issues", with_action("opened", R"("issue":{"number":1,"title":"t","state":"open","user":null},)"));
  EXPECT_EQ(IssueRecord::from_json(event.data)->author, "");
}

// --- Repositories, people, organisations

TEST(GithubMapping, Collaborators) {
  const auto member = [](std::string_view action) {
    return github("member", with_action(action, R"("member":{"login":"erin"},"changes":{"permission":{"to":"write"}},)"));
  };
  EXPECT_EQ(where(member("added")), "repo:alice/app collaborator_added");
  EXPECT_EQ(where(member("removed")), "repo:alice/app collaborator_removed");
  EXPECT_EQ(where(member("edited")), "repo:alice/app member.edited");
  EXPECT_EQ(Data(member("added").data).at("/collaborator"), R"("erin")");
  EXPECT_EQ(Data(member("added").data).at("/permission"), R"("write")");
}

TEST(GithubMapping, Repositories) {
  EXPECT_EQ(where(github("repository", with_action("created", ""))), "repo:alice/app repo_created");
  EXPECT_EQ(where(github("repository", with_action("edited", ""))), "repo:alice/app repo_updated");
  EXPECT_EQ(where(github("repository", with_action("archived", ""))), "repo:alice/app repo_updated");
  EXPECT_EQ(where(github("repository", with_action("deleted", ""))), "repo:alice/app repo_deleted");
  EXPECT_EQ(where(github("public", joined({"{", kAbout}))), "repo:alice/app repo_updated");
  EXPECT_EQ(Data(github("public", joined({"{", kAbout})).data).at("/webhook"), R"("public")");
}

std::vector<std::string> channels(const std::vector<MappedEvent>& events) {
  std::vector<std::string> names;
  for (const MappedEvent& event : events) names.push_back(event.channel);
  return names;
}

TEST(GithubMapping, ARepositoryWithANewNameIsToldOfUnderBoth) {
  const auto renamed =
      map(WebhookSource::github, "repository", with_action("renamed", R"("changes":{"repository":{"name":{"from":"old"}}},)"));
  EXPECT_THAT(channels(renamed), ElementsAre("repo:alice/app", "repo:alice/old"));
  EXPECT_EQ(renamed[0].data, renamed[1].data);
  EXPECT_EQ(Data(renamed[0].data).at("/former_full_name"), R"("alice/old")");
  const auto transferred = map(WebhookSource::github, "repository",
                               with_action("transferred", R"("changes":{"owner":{"from":{"user":{"login":"zoe"}}}},)"));
  EXPECT_THAT(channels(transferred), ElementsAre("repo:alice/app", "repo:zoe/app"));
}

TEST(GithubMapping, AnOrganisationHearsOfItsRepositoriesAndTeams) {
  const auto created = map(WebhookSource::github, "repository", with_action("created", R"("organization":{"login":"acme"},)"));
  EXPECT_THAT(channels(created), ElementsAre("repo:alice/app", "org:acme"));
  const auto team =
      map(WebhookSource::github, "team",
          with_action("added_to_repository", R"("team":{"name":"core","id":4},"organization":{"login":"acme"},)"));
  EXPECT_THAT(channels(team), ElementsAre("repo:alice/app", "org:acme"));
  EXPECT_EQ(team[0].event, "team.added_to_repository");
  EXPECT_EQ(Data(team[0].data).at("/team/name"), R"("core")");
  const auto pushed = map(WebhookSource::github, "push", joined({R"({"ref":"r","organization":{"login":"acme"},)", kAbout}));
  EXPECT_THAT(channels(pushed), ElementsAre("repo:alice/app"));
}

TEST(GithubMapping, OrganisationEvents) {
  const MappedEvent joined_org =
      github("organization",
             joined({R"({"action":"member_added","membership":{"role":"member","user":{"login":"erin"}},)", kOrganization}));
  EXPECT_EQ(where(joined_org), "org:acme organization.member_added");
  EXPECT_EQ(Data(joined_org.data).at("/membership/user"), R"("erin")");
  EXPECT_EQ(Data(joined_org.data).at("/organization"), R"("acme")");
  EXPECT_EQ(
      where(github("membership", joined({R"({"action":"removed","scope":"team","member":{"login":"erin"},)", kOrganization}))),
      "org:acme membership.removed");
  EXPECT_EQ(where(github("team", joined({R"({"action":"created","team":{"name":"core"},)", kOrganization}))),
            "org:acme team.created");
}

TEST(GithubMapping, StarsAndForksTellWhatHappened) {
  const MappedEvent star = github("star", with_action("created", R"("starred_at":"2019-05-15T15:20:40Z",)"));
  EXPECT_EQ(where(star), "repo:alice/app repo_updated");
  EXPECT_EQ(Data(star.data).at("/webhook"), R"("star")");
  EXPECT_EQ(Data(star.data).at("/starred"), "true");
  EXPECT_EQ(Data(star.data).at("/stargazers"), "7");
  EXPECT_EQ(Data(github("star", with_action("deleted", "")).data).at("/starred"), "false");
  const MappedEvent fork = github(
      "fork", joined({R"({"forkee":{"name":"app","full_name":"zoe/app","owner":{"login":"zoe"},"html_url":"h","fork":true},)",
                      kAbout}));
  EXPECT_EQ(where(fork), "repo:alice/app repo_created");
  EXPECT_EQ(Data(fork.data).at("/fork"), R"({"owner":"zoe","name":"app","full_name":"zoe/app","url":"h"})");
  EXPECT_EQ(Data(fork.data).at("/forked_from"), R"("alice/app")");
  EXPECT_EQ(where(github("watch", with_action("started", ""))), "repo:alice/app watch.started");
}

// --- Continuous integration

TEST(GithubMapping, WorkflowRuns) {
  const auto run = [](std::string_view action) {
    return github(
        "workflow_run",
        with_action(action, R"("workflow":{"name":"CI"},"workflow_run":{"id":9007199254740993,"name":"CI","run_number":5,)"
                            R"("head_branch":null,"head_sha":"ab","event":"push","status":"queued","conclusion":null},)"));
  };
  EXPECT_EQ(where(run("requested")), "repo:alice/app workflow_run_requested");
  EXPECT_EQ(where(run("in_progress")), "repo:alice/app workflow_run_in_progress");
  EXPECT_EQ(where(run("completed")), "repo:alice/app workflow_run_completed");
  EXPECT_EQ(*WorkflowRunRecord::from_json(run("requested").data),
            (WorkflowRunRecord{9007199254740993, "CI", 5, "", "ab", "push", "queued", std::nullopt}));
}

TEST(GithubMapping, WorkflowJobsAndChecks) {
  const auto job = [](std::string_view action) {
    return github("workflow_job", with_action(action, R"("workflow_job":{"id":1,"run_id":2,"name":"test","head_sha":"ab",)"
                                                      R"("status":"completed","conclusion":"failure"},)"));
  };
  EXPECT_EQ(where(job("queued")), "repo:alice/app workflow_job_queued");
  EXPECT_EQ(where(job("in_progress")), "repo:alice/app workflow_job_in_progress");
  EXPECT_EQ(where(job("completed")), "repo:alice/app workflow_job_completed");
  EXPECT_EQ(where(job("waiting")), "repo:alice/app workflow_job.waiting");
  EXPECT_EQ(WorkflowJobRecord::from_json(job("completed").data)->conclusion, "failure");
  const auto check = [](std::string_view action) {
    return github("check_run", with_action(action, R"("check_run":{"id":3,"name":"lint","head_sha":"ab","status":"completed",)"
                                                   R"("conclusion":"success","app":{"slug":"octo"}},)"));
  };
  EXPECT_EQ(where(check("created")), "repo:alice/app check_run_created");
  EXPECT_EQ(where(check("completed")), "repo:alice/app check_run_completed");
  EXPECT_EQ(where(check("rerequested")), "repo:alice/app check_run.rerequested");
  EXPECT_EQ(*CheckRunRecord::from_json(check("completed").data), (CheckRunRecord{3, "lint", "ab", "completed", "success"}));
}

// --- What has no kind

TEST(GithubMapping, OtherEventsKeepTheirNameAndTheirFacts) {
  const MappedEvent release = github(
      "release",
      with_action("published", R"("release":{"url":"api","html_url":"h","id":17,"node_id":"n","tag_name":"v1","draft":false,)"
                               R"("author":{"login":"carol","id":2},"body":null,"assets":[{"id":1}]},)"));
  EXPECT_EQ(where(release), "repo:alice/app release.published");
  EXPECT_EQ(Data(release.data).at("/release"), R"({"html_url":"h","id":17,"tag_name":"v1","draft":false,"author":"carol"})");
  EXPECT_EQ(where(github("ping",
                         joined({R"({"zen":"Keep it logically awesome.","hook_id":1,"hook":{"type":"Repository"},)", kAbout}))),
            "repo:alice/app ping");
  EXPECT_EQ(
      Data(github("gollum", joined({R"({"pages":[{"page_name":"Home","action":"created","html_url":"h"}],)", kAbout})).data)
          .at("/pages/0/page_name"),
      R"("Home")");
  EXPECT_EQ(Data(github("repository_dispatch", with_action("deploy", R"("client_payload":{"deep":{"list":[1,[2]]}},)")).data)
                .at("/client_payload/deep/list"),
            "[1,[2]]");
}

TEST(GithubMapping, AnActionThatCannotBeANameStaysInTheData) {
  const MappedEvent event = github("repository_dispatch", with_action(R"(line\nbreak)", ""));
  EXPECT_EQ(event.event, "repository_dispatch");
  EXPECT_EQ(Data(event.data).at("/action"), R"("line\nbreak")");
  EXPECT_EQ(github("repository_dispatch", with_action(std::string(300, 'x'), "")).event, "repository_dispatch");
  EXPECT_EQ(github("repository_dispatch", with_action("two words", "")).event, "repository_dispatch.two words");
}

TEST(GithubMapping, WithoutARepositoryItGoesToTheAccount) {
  const auto at = [](std::string_view event, std::string_view payload) { return github(event, payload).channel; };
  EXPECT_EQ(
      at("installation",
         R"({"action":"created","installation":{"account":{"login":"acme","type":"Organization"}},"sender":{"login":"bob"}})"),
      "org:acme");
  EXPECT_EQ(at("installation",
               R"({"action":"created","installation":{"account":{"login":"alice","type":"User"}},"sender":{"login":"bob"}})"),
            "user:alice");
  EXPECT_EQ(
      at("marketplace_purchase",
         R"({"action":"purchased","marketplace_purchase":{"account":{"login":"acme","type":"Organization"}},"sender":{"login":"bob"}})"),
      "org:acme");
  EXPECT_EQ(
      at("sponsorship",
         R"({"action":"created","sponsorship":{"sponsorable":{"login":"alice","type":"User"}},"sender":{"login":"bob"}})"),
      "user:alice");
  EXPECT_EQ(at("github_app_authorization", R"({"action":"revoked","sender":{"login":"bob"}})"), "user:bob");
  EXPECT_EQ(at("ping", R"({"zen":"z","hook":{"type":"App"}})"), "webhook:github");
  EXPECT_EQ(at("security_advisory", R"({"action":"published","security_advisory":{"ghsa_id":"G"}})"), "webhook:github");
  EXPECT_EQ(at("ping", R"({"sender":{"login":"a/b"}})"), "webhook:github");
}

TEST(GithubMapping, RawIsKeptOnlyWhenAsked) {
  const std::string payload = "{\n \"action\": \"started\",\n \"number\": 1.50,\n " + std::string(kAbout);
  EXPECT_EQ(Data(github("watch", payload).data).at("/raw"), "absent");
  const auto events = map(WebhookSource::github, "watch", payload, {.keep_raw = true});
  EXPECT_THAT(events[0].data, HasSubstr(R"("raw":{"action":"started","number":1.50,"repository":{)"));
  EXPECT_EQ(Data(events[0].data).at("/raw/repository/owner/id"), "5");
}

TEST(GithubMapping, FaultsNameTheField) {
  EXPECT_EQ(fault("push", joined({"{", kAbout})), "push webhook: missing field `ref`");
  EXPECT_EQ(fault("pull_request", with_action("opened", "")), "pull_request webhook: missing field `pull_request.number`");
  EXPECT_EQ(fault("pull_request", with_action("opened", R"("pull_request":{"number":"7"},)")),
            "pull_request webhook: missing field `pull_request.number`");
  EXPECT_EQ(fault("pull_request_review", with_action("submitted", kPullRequest)),
            "pull_request_review webhook: missing field `review`");
  EXPECT_EQ(fault("issues", with_action("opened", "")), "issues webhook: missing field `issue.number`");
  EXPECT_EQ(fault("issue_comment", with_action("created", kIssue)), "issue_comment webhook: missing field `comment.id`");
  EXPECT_EQ(fault("issue_comment", with_action("created", kComment)),
            "issue_comment webhook: missing field `pull_request.number`");
  EXPECT_EQ(fault("fork", joined({"{", kAbout})), "fork webhook: missing field `forkee`");
  EXPECT_EQ(fault("check_run", with_action("created", "")), "check_run webhook: missing field `check_run.id`");
  EXPECT_THAT(fault("watch", R"({"repository":{"full_name":"a/b/prs"}})"), HasSubstr("owner/name"));
  EXPECT_THAT(fault("watch", R"({"repository":{"full_name":5}})"), HasSubstr("owner/name"));
  EXPECT_THAT(fault("watch", R"({"repository":{"full_name":"a/\u0001"}})"), HasSubstr("control character"));
  EXPECT_EQ(fault("watch", "[]"), "the payload must be a JSON object");
  EXPECT_THAT(fault("watch", ""), HasSubstr("not JSON"));
  EXPECT_THAT(fault("watch", "{}{}"), HasSubstr("not JSON"));
  EXPECT_THAT(fault("watch", "{\"a\":\"\xFF\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(fault("", "{}"), HasSubstr("name"));
  EXPECT_THAT(fault("a b", "{}"), HasSubstr("name"));
  EXPECT_THAT(fault(std::string(101, 'a'), "{}"), HasSubstr("name"));
}

TEST(GithubMapping, EveryPrefixOfAPayloadIsRefused) {
  for (std::size_t size = 0; size < kPush.size(); ++size) {
    EXPECT_THAT(fault("push", kPush.substr(0, size)), HasSubstr("not JSON")) << size;
  }
}

// --- Gitea and Forgejo, in the shapes of their own hook structures

constexpr std::string_view kGiteaAbout =
    R"("repository":{"id":140,"owner":{"id":1,"login":"alice","full_name":"","email":"a@x","avatar_url":"v","username":"alice"},)"
    R"("name":"app","full_name":"alice/app","description":"","private":false,"fork":false,"html_url":"https://git.example/alice/app",)"
    R"("default_branch":"main"},"sender":{"id":2,"login":"bob","username":"bob"}})";
constexpr std::string_view kGiteaPullRequest =
    R"("number":7,"pull_request":{"id":70,"url":"https://git.example/alice/app/pulls/7","number":7,"user":{"id":3,"login":"carol","username":"carol"},)"
    R"("title":"Fix it","body":"","labels":[{"id":1,"name":"bug"}],"state":"open","html_url":"https://git.example/alice/app/pulls/7",)"
    R"("merged":false,"merged_at":null,"merge_commit_sha":null,"merged_by":null,"base":{"label":"main","ref":"main","sha":"bbbb","repo_id":140},)"
    R"("head":{"label":"topic","ref":"topic","sha":"aaaa","repo_id":140}},"requested_reviewer":null,)";
constexpr std::string_view kGiteaMerged =
    R"("number":7,"pull_request":{"id":70,"number":7,"user":{"login":"carol"},"title":"Fix it","state":"closed","merged":true,)"
    R"("merge_commit_sha":"cccc","merged_by":{"login":"dave"},"base":{"ref":"main","sha":"bbbb"},"head":{"ref":"topic","sha":"aaaa"}},)";
constexpr std::string_view kGiteaIssue =
    R"("number":12,"issue":{"id":99,"url":"u","number":12,"user":{"login":"carol"},"title":"Broken","body":"","labels":[],"state":"open",)"
    R"("pull_request":null},)";

std::string gitea_payload(std::string_view action, std::string_view rest) {
  return joined({R"({"action":")", action, R"(",)", rest, kGiteaAbout});
}

TEST(GiteaMapping, PushKnowsTheTrueCountOfACutList) {
  const MappedEvent event = gitea(
      "push",
      joined(
          {R"({"ref":"refs/heads/main","before":"28e1879d029cb852e4844d9c718537df08844e03","after":"bffeb74224043ba2feb48d137756c8a9331c449a",)",
           R"("compare_url":"https://git.example/alice/app/compare/28e1...bffe","commits":[{"id":"bffeb74224043ba2feb48d137756c8a9331c449a",)",
           R"("message":"Webhooks Yay!\n","url":"u","author":{"name":"Bob","email":"b@x","username":"bob"},"committer":{"name":"Bob"},)",
           R"("verification":null,"timestamp":"2017-03-13T13:52:11-04:00","added":["a"],"removed":[],"modified":[]}],"total_commits":9,)",
           R"("head_commit":null,"pusher":{"id":2,"login":"bob","full_name":"Bob","username":"bob"},)", kGiteaAbout}));
  EXPECT_EQ(where(event), "repo:alice/app push");
  EXPECT_EQ(*PushRecord::from_json(event.data), (PushRecord{"refs/heads/main", "28e1879d029cb852e4844d9c718537df08844e03",
                                                            "bffeb74224043ba2feb48d137756c8a9331c449a", "bob", 9}));
  const Data data(event.data);
  EXPECT_EQ(data.at("/compare"), R"("https://git.example/alice/app/compare/28e1...bffe")");
  EXPECT_EQ(data.at("/commits/0/author"), R"("bob")");
  EXPECT_EQ(data.at("/source"), R"("gitea")");
  EXPECT_EQ(data.at("/repository"),
            R"({"owner":"alice","name":"app","full_name":"alice/app","url":"https://git.example/alice/app"})");
}

TEST(GiteaMapping, APusherMayHaveOnlyAUsername) {
  const MappedEvent event = gitea("push", joined({R"({"ref":"r","commits":null,"pusher":{"username":"bob"},)", kGiteaAbout}));
  EXPECT_EQ(Data(event.data).at("/pusher"), R"("bob")");
  EXPECT_EQ(Data(event.data).at("/commit_count"), "0");
}

TEST(GiteaMapping, BranchesAndTags) {
  const MappedEvent branch = gitea("create", joined({R"({"sha":"ab12","ref":"topic","ref_type":"branch",)", kGiteaAbout}));
  EXPECT_EQ(where(branch), "repo:alice/app branch_created");
  EXPECT_EQ(Data(branch.data).at("/sha"), R"("ab12")");
  EXPECT_EQ(where(gitea("delete", joined({R"({"ref":"v1","ref_type":"tag","pusher_type":"user",)", kGiteaAbout}))),
            "repo:alice/app tag_deleted");
}

TEST(GiteaMapping, PullRequests) {
  const auto at = [](std::string_view event, std::string_view action, std::string_view subject) {
    return where(gitea(event, gitea_payload(action, subject)));
  };
  EXPECT_EQ(at("pull_request", "opened", kGiteaPullRequest), "repo:alice/app/prs pr_opened");
  EXPECT_EQ(at("pull_request", "synchronized", kGiteaPullRequest), "repo:alice/app/prs pr_updated");
  EXPECT_EQ(at("pull_request", "edited", kGiteaPullRequest), "repo:alice/app/prs pr_updated");
  EXPECT_EQ(at("pull_request", "reopened", kGiteaPullRequest), "repo:alice/app/prs pr_reopened");
  EXPECT_EQ(at("pull_request", "closed", kGiteaPullRequest), "repo:alice/app/prs pr_closed");
  EXPECT_EQ(at("pull_request", "closed", kGiteaMerged), "repo:alice/app/prs pr_merged");
  EXPECT_EQ(at("pull_request", "label_updated", kGiteaPullRequest), "repo:alice/app/prs pr_updated");
  EXPECT_EQ(at("pull_request", "label_cleared", kGiteaPullRequest), "repo:alice/app/prs label_removed");
  EXPECT_EQ(at("pull_request_sync", "synchronized", kGiteaPullRequest), "repo:alice/app/prs pr_updated");
  const Data data(gitea("pull_request", gitea_payload("closed", kGiteaMerged)).data);
  EXPECT_EQ(data.at("/merge_commit"), R"("cccc")");
  EXPECT_EQ(data.at("/merged_by"), R"("dave")");
}

TEST(GiteaMapping, ReviewsAreNamedByTheirVerdict) {
  const auto review = [](std::string_view event, std::string_view type) {
    return gitea(event, gitea_payload("reviewed", joined({R"("commit_id":"","review":{"type":")", type,
                                                          R"(","content":"Nice"},)", kGiteaPullRequest})));
  };
  const MappedEvent approved = review("pull_request_approved", "pull_request_review_approved");
  EXPECT_EQ(where(approved), "repo:alice/app/prs pr_review");
  EXPECT_EQ(*ReviewRecord::from_json(approved.data), (ReviewRecord{0, 7, "bob", ReviewState::approved}));
  EXPECT_EQ(Data(approved.data).at("/body_preview"), R"("Nice")");
  EXPECT_EQ(ReviewRecord::from_json(review("pull_request_rejected", "pull_request_review_rejected").data)->state,
            ReviewState::changes_requested);
  const MappedEvent commented = review("pull_request_comment", "pull_request_review_comment");
  EXPECT_EQ(where(commented), "repo:alice/app/prs pr_review");
  EXPECT_EQ(ReviewRecord::from_json(commented.data)->state, ReviewState::commented);
  EXPECT_EQ(ReviewRecord::from_json(review("pull_request_approved", "").data)->state, ReviewState::approved);
}

TEST(GiteaMapping, IssuesAndComments) {
  EXPECT_EQ(where(gitea("issues", gitea_payload("opened", kGiteaIssue))), "repo:alice/app/issues issue_opened");
  EXPECT_EQ(where(gitea("issues", gitea_payload("label_updated", kGiteaIssue))), "repo:alice/app/issues issue_updated");
  EXPECT_EQ(where(gitea("issue_assign", gitea_payload("assigned", kGiteaIssue))), "repo:alice/app/issues issue_updated");
  EXPECT_EQ(where(gitea("issue_comment", gitea_payload("created", joined({kGiteaIssue, kComment, R"("is_pull":false,)"})))),
            "repo:alice/app/issues issue_comment");
  const MappedEvent on_pull_request = gitea(
      "issue_comment", gitea_payload("created", joined({kGiteaIssue, kComment, R"("pull_request":null,"is_pull":true,)"})));
  EXPECT_EQ(where(on_pull_request), "repo:alice/app/prs pr_comment");
  EXPECT_EQ(Data(on_pull_request.data).at("/pr_number"), "12");
}

TEST(GiteaMapping, RepositoriesReleasesAndWiki) {
  // Gitea's `organization` is the owner, here a person: there is no org:alice.
  EXPECT_EQ(where(gitea("repository", gitea_payload("created", R"("organization":{"login":"alice","username":"alice"},)"))),
            "repo:alice/app repo_created");
  EXPECT_EQ(where(gitea("repository", gitea_payload("deleted", ""))), "repo:alice/app repo_deleted");
  EXPECT_EQ(where(gitea("release", gitea_payload("published", R"("release":{"id":1,"tag_name":"v1"},)"))),
            "repo:alice/app release.published");
  EXPECT_EQ(where(gitea("wiki", gitea_payload("edited", R"("page":"Home","comment":"",)"))), "repo:alice/app wiki.edited");
  EXPECT_EQ(where(gitea(
                "package",
                R"({"action":"created","repository":null,"package":{"id":1,"name":"p"},"organization":{"username":"acme"}})")),
            "org:acme package.created");
  EXPECT_EQ(where(gitea("unheard_of", "{}")), "webhook:gitea unheard_of");
}

TEST(GiteaMapping, ForkeeIsWhatWasForked) {
  const MappedEvent event = gitea(
      "fork",
      R"({"forkee":{"name":"app","full_name":"alice/app","owner":{"login":"alice"}},)"
      R"("repository":{"name":"app","full_name":"zoe/app","owner":{"login":"zoe"},"fork":true},"sender":{"login":"zoe"}})");
  EXPECT_EQ(where(event), "repo:alice/app repo_created");
  EXPECT_EQ(Data(event.data).at("/fork/full_name"), R"("zoe/app")");
  EXPECT_EQ(Data(event.data).at("/forked_from"), R"("alice/app")");
  EXPECT_EQ(Data(event.data).at("/repository/full_name"), R"("alice/app")");
}

}  // namespace
}  // namespace carillon
