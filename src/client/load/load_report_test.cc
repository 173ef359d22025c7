#include "client/load/load_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::HasSubstr;
using testing::Not;

LoadReport sample() {
  LoadReport report;
  report.connections = 11;
  report.publishes = 3;
  report.deliveries = 30;
  report.server.cpu_us_per_delivery = 2.5;
  return report;
}

TEST(LoadReport, SaysNothingOfAServerItDoesNotKnow) {
  EXPECT_THAT(load_report_text(sample()), Not(HasSubstr("server CPU")));
  EXPECT_THAT(load_report_json(sample()), HasSubstr("\"server_cpu_us_per_delivery\": null"));
}

TEST(LoadReport, SaysWhatTheServerUsed) {
  LoadReport report = sample();
  report.server_known = true;
  EXPECT_THAT(load_report_text(report), HasSubstr("2.500 us"));
  EXPECT_THAT(load_report_json(report), HasSubstr("\"server_cpu_us_per_delivery\": 2.5"));
}

TEST(LoadReport, LeavesOutDeliveriesWhenNothingWasPublished) {
  LoadReport report = sample();
  report.publishes = 0;
  EXPECT_THAT(load_report_text(report), Not(HasSubstr("latency")));
}

TEST(LoadReport, SpeaksOfAnswersOnlyWhereSomebodyPolls) {
  LoadReport report = sample();
  report.server_known = true;
  EXPECT_THAT(load_report_text(report), Not(HasSubstr("answer")));
  report.answers = 15;
  report.server.cpu_us_per_answer = 5.25;
  EXPECT_THAT(load_report_text(report), HasSubstr("5.250 us"));
  EXPECT_THAT(load_report_json(report), HasSubstr(R"("answers": 15)"));
}

TEST(LoadReport, KeepsJsonWholeWhateverTheServerSaid) {
  LoadReport report = sample();
  report.errors = 1;
  report.first_error = "{\"type\":\"error\"}\n\\";
  EXPECT_THAT(load_report_json(report), HasSubstr(R"("first_error": "{\"type\":\"error\"}\u000a\\")"));
  EXPECT_THAT(load_report_text(report), HasSubstr("error answers"));
}

}  // namespace
}  // namespace carillon
