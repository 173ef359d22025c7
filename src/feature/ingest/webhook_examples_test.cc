// Every payload of the npm package @octokit/webhooks-examples (real deliveries of GitHub) is mapped: nothing is refused.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "carillon/event.h"
#include "carillon/guts_channel.h"
#include "carillon/records.h"
#include "feature/ingest/webhook_mapping.h"
#include "hub/channel_name.h"

namespace carillon {
namespace {

std::filesystem::path examples_path() {
  if (const char* given = std::getenv("CARILLON_WEBHOOK_EXAMPLES")) return given;
  return std::filesystem::path(CARILLON_SOURCE_DIR) /
         "tests/clients/node_modules/@octokit/webhooks-examples/api.github.com/index.json";
}

// The typed record that a kind promises must be readable from its data.
void expect_record(const MappedEvent& event) {
  const auto kind = parse_event_kind(event.event);
  if (!kind) return;
  const auto expect_reads = [&](const auto& record) { EXPECT_TRUE(record) << event.event << ": " << record.error().text; };
  const std::string_view name = event.event;
  if (kind == EventKind::kPush) expect_reads(PushRecord::from_json(event.data));
  if (kind == EventKind::kPrReview) {
    expect_reads(ReviewRecord::from_json(event.data));
  } else if (name.ends_with("_comment")) {
    expect_reads(CommentRecord::from_json(event.data));
  } else if (name.starts_with("pr_")) {
    expect_reads(PullRequestRecord::from_json(event.data));
  } else if (name.starts_with("issue_")) {
    expect_reads(IssueRecord::from_json(event.data));
  } else if (name.starts_with("workflow_run_")) {
    expect_reads(WorkflowRunRecord::from_json(event.data));
  } else if (name.starts_with("workflow_job_")) {
    expect_reads(WorkflowJobRecord::from_json(event.data));
  } else if (name.starts_with("check_run_")) {
    expect_reads(CheckRunRecord::from_json(event.data));
  }
}

TEST(WebhookExamples, EveryOneIsMapped) {
  const std::filesystem::path path = examples_path();
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is missing; run `npm ci` in tests/clients";
  simdjson::dom::parser parser;
  simdjson::dom::array definitions;
  ASSERT_EQ(parser.load(path.string()).get(definitions), simdjson::SUCCESS);
  std::size_t payloads = 0;
  std::size_t largest = 0;
  std::map<std::string, std::set<std::string>> names;
  for (const auto definition : definitions) {
    const std::string_view webhook = definition["name"];
    for (const auto example : definition["examples"].get_array()) {
      const std::string payload = simdjson::minify(example);
      SCOPED_TRACE(std::string(webhook) + " " + payload.substr(0, 60));
      ++payloads;
      const auto events = map_webhook(WebhookSource::github, webhook, payload, {});
      ASSERT_TRUE(events) << events.error().text;
      ASSERT_FALSE(events->empty());
      const bool about_repository = example.at_key("repository").error() == simdjson::SUCCESS;
      EXPECT_EQ((*events)[0].channel.starts_with("repo:"), about_repository) << (*events)[0].channel;
      for (const MappedEvent& event : *events) {
        EXPECT_TRUE(check_channel_name(event.channel)) << event.channel;
        if (!event.channel.starts_with("webhook:")) {
          EXPECT_TRUE(parse_guts_channel(event.channel)) << event.channel;
        }
        simdjson::dom::parser data_parser;
        simdjson::dom::object data;
        ASSERT_EQ(data_parser.parse(event.data).get(data), simdjson::SUCCESS) << event.data;
        std::set<std::string_view> keys;
        for (const auto [key, value] : data) EXPECT_TRUE(keys.insert(key).second) << "twice: " << key;
        EXPECT_TRUE(keys.contains("webhook"));
        expect_record(event);
        largest = std::max(largest, event.data.size());
        names[std::string(webhook)].insert(event.channel + " " + event.event);
      }
      const auto with_raw = map_webhook(WebhookSource::github, webhook, payload, {.keep_raw = true});
      ASSERT_TRUE(with_raw);
      EXPECT_TRUE((*with_raw)[0].data.ends_with("\"raw\":" + payload + "}"));
      EXPECT_TRUE(map_webhook(WebhookSource::gitea, webhook, payload, {}));
    }
  }
  EXPECT_GE(payloads, 329u);
  EXPECT_LT(largest, 16'384u) << "data is a summary, not the payload";
  if (std::getenv("CARILLON_SHOW") != nullptr) {
    for (const auto& [webhook, seen] : names) {
      for (const std::string& line : seen) std::printf("%-30s %s\n", webhook.c_str(), line.c_str());
    }
  }
}

}  // namespace
}  // namespace carillon
