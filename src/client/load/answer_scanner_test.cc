#include "client/load/answer_scanner.h"

#include <gtest/gtest.h>

#include <vector>

namespace carillon {
namespace {

struct Seen {
  int status;
  std::size_t size;
  std::string body;
  friend bool operator==(const Seen&, const Seen&) = default;
  friend void PrintTo(const Seen& seen, std::ostream* out) { *out << seen.status << ':' << seen.size << ':' << seen.body; }
};

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nDate: now\r\nSet-cookie:\t a=b\r\ncontent-LENGTH: 7\r\n\r\n[{\"a\"}]";
constexpr std::string_view kEmpty = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

class AnswerScannerTest : public testing::Test {
 protected:
  bool scan(std::string_view bytes) {
    return scanner_.scan(bytes, [&](const ScannedAnswer& answer) {
      seen_.push_back({answer.status, answer.size(), std::string(answer.body)});
    });
  }
  static bool is_sound(std::string_view bytes) {
    AnswerScanner scanner;
    return scanner.scan(bytes, [](const ScannedAnswer&) {});
  }

  const std::vector<Seen> both_ = {{200, kAnswer.size(), "[{\"a\"}]"}, {503, kEmpty.size(), ""}};
  AnswerScanner scanner_;
  std::vector<Seen> seen_;
};

TEST_F(AnswerScannerTest, SeesAllAnswersOfOneRead) {
  EXPECT_TRUE(scan(std::string(kAnswer) + std::string(kEmpty)));
  EXPECT_EQ(seen_, both_);
}

TEST_F(AnswerScannerTest, SeesTheSameOneByteAtATime) {
  const std::string bytes = std::string(kAnswer) + std::string(kEmpty);
  for (const char byte : bytes) ASSERT_TRUE(scan({&byte, 1}));
  EXPECT_EQ(seen_, both_);
}

TEST_F(AnswerScannerTest, SeesTheSameHoweverCutInTwo) {
  const std::string bytes = std::string(kAnswer) + std::string(kEmpty);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    seen_.clear();
    ASSERT_TRUE(scan(bytes.substr(0, cut)));
    ASSERT_TRUE(scan(bytes.substr(cut)));
    EXPECT_EQ(seen_, both_) << "cut at " << cut;
  }
}

TEST_F(AnswerScannerTest, FindsFieldsInAnyCase) {
  scanner_.scan(kAnswer, [](const ScannedAnswer& answer) {
    EXPECT_EQ(answer.field("set-cookie"), "a=b");
    EXPECT_EQ(answer.field("content-length"), "7");
    EXPECT_EQ(answer.field("date"), "now");
    EXPECT_EQ(answer.field("cookie"), "");
  });
}

TEST_F(AnswerScannerTest, RefusesWhatItCannotWalkThrough) {
  EXPECT_FALSE(is_sound("HTTP/2 200\r\n"));
  EXPECT_FALSE(is_sound("\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_FALSE(is_sound("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_FALSE(is_sound("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  EXPECT_FALSE(is_sound("HTTP/1.1 200 OK\r\nContent-Length: 7x\r\n\r\n"));
  EXPECT_FALSE(is_sound("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"));
  EXPECT_FALSE(is_sound("HTTP/1.1 ten OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(is_sound("HTTP/1.1 200 " + std::string(AnswerScanner::kHeadMax, 'x')));
}

}  // namespace
}  // namespace carillon
