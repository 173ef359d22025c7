// Plays every talk of tests/talk straight into dialogs, and in the simulated world: on a still network and on bad ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "server/config_file.h"
#include "sim/direct_stage.h"
#include "sim/simulated_stage.h"

namespace carillon {
namespace {

const std::filesystem::path kTalks = std::filesystem::path(CARILLON_SOURCE_DIR) / "tests/talk";

std::vector<std::string> talk_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kTalks)) {
    if (entry.path().extension() == ".talk") files.push_back(std::filesystem::relative(entry.path(), kTalks).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class TalkTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::ifstream file(kTalks / GetParam());
    std::stringstream text;
    text << file.rdbuf();
    Result<Talk> parsed = parse_talk(text.str());
    ASSERT_TRUE(parsed) << GetParam() << ": " << parsed.error().text;
    talk_ = *std::move(parsed);
    const Result<void> configured = read_config(talk_.config, GetParam(), options_);
    ASSERT_TRUE(configured) << configured.error().text;
  }

  void expect_as_written(TalkStage& stage, std::string_view where) {
    const std::string fault = play(talk_, stage);
    EXPECT_TRUE(fault.empty()) << "tests/talk/" << GetParam() << ", " << where << ", " << fault;
  }

  Talk talk_;
  ServerOptions options_;
};

TEST_P(TalkTest, straight_into_dialogs) {
  DirectStage stage(options_);
  expect_as_written(stage, "straight into dialogs");
}

TEST_P(TalkTest, on_a_still_network) {
  SimulatedStage stage(1, options_, {});
  expect_as_written(stage, "on a still network");
}

TEST_P(TalkTest, on_a_bad_network) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SimulatedStage stage(seed, options_, {.delay_max = Millis{2}, .piece_bytes_max = 40 + seed % 2 * 600, .short_writes = 20});
    expect_as_written(stage, fmt::format("on a bad network of seed {}", seed));
  }
}

TEST_P(TalkTest, byte_by_byte) {
  SimulatedStage stage(1, options_, {.piece_bytes_max = 1});
  expect_as_written(stage, "byte by byte");
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(0, info.param.rfind('.'));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == '.' || c == '-'; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(talks, TalkTest, testing::ValuesIn(talk_files()), test_name);

TEST(TalkScript, reads_every_kind_of_line) {
  const Result<Talk> talk = parse_talk(
      "# why\n| [native]\n| event_names = \"dotted\"\n\n> hi\n>\nb< {\"a\": 1} \nb>> 00ff\na open /ws?v=2 | Origin: x\n"
      "a closed 1001\nb<< 00ff\n@ 30s\na ask POST /api/publish {}\na answers 200\na closes\n");
  ASSERT_TRUE(talk) << talk.error().text;
  EXPECT_EQ(talk->config, "[native]\nevent_names = \"dotted\"\n");
  std::string seen;
  for (const TalkLine& line : talk->lines) {
    seen += fmt::format("{}:{}:{}:{}\n", line.number, static_cast<int>(line.kind), line.client, line.text);
  }
  EXPECT_EQ(seen,
            "5:0::hi\n6:0::\n7:2:b:{\"a\": 1} \n8:1:b:00ff\n9:3:a:/ws?v=2 | Origin: x\n10:8:a:1001\n11:10:b:00ff\n12:9::30s\n"
            "13:5:a:POST /api/publish {}\n14:6:a:200\n15:7:a:\n");
}

TEST(TalkScript, refuses_what_is_no_line) {
  for (const char* const text : {"hello\n", "a opens /ws\n", "a>x\n", "@ soon\n", "@ 5\n"}) {
    EXPECT_FALSE(parse_talk(text)) << text;
  }
}

TEST(TalkWords, what_varies_is_matched_captured_and_must_recur) {
  TalkWords words;
  EXPECT_TRUE(words.match(R"({"epoch":"$epoch=e","offset":$number=o})", R"({"epoch":"00ff","offset":12})"));
  EXPECT_TRUE(words.match("$e and $o", "00ff and 12"));
  EXPECT_FALSE(words.match("$e", "00fe"));
  EXPECT_EQ(words.fill("$e:$o:$p"), "00ff:12:$p");
  EXPECT_TRUE(words.match(R"({"message":"bad: $more","x":1})", R"({"message":"bad: anything","x":1})"));
  EXPECT_TRUE(words.match("$uuid", "9b2f6c1e-4c77-4d0c-9f0e-0a4b9c6f6f5b"));
  EXPECT_TRUE(words.match("$clientid=c!", "0a4b9c6f6f5b9b2f6c1e4c774d0c9f0e01234567!"));
  EXPECT_EQ(words.fill("$c"), "0a4b9c6f6f5b9b2f6c1e4c774d0c9f0e01234567");
}

TEST(TalkWords, refuses_what_is_another_kind) {
  TalkWords words;
  EXPECT_FALSE(words.match("$uuid", "9b2f6c1e-4c77-1d0c-9f0e-0a4b9c6f6f5b"));
  EXPECT_FALSE(words.match("$seconds", "170314560"));
  EXPECT_FALSE(words.match("$number", "x"));
  EXPECT_FALSE(words.match("$epoch", "XYZ"));
  EXPECT_FALSE(words.match("$clientid", "0a4b9c6f6f5b9b2f6c1e4c774d0c9f0e0123456"));
  EXPECT_FALSE(words.match("$clientid", "0A4b9c6f6f5b9b2f6c1e4c774d0c9f0e01234567"));
  EXPECT_FALSE(words.match("$nosuch", "nosuch"));
  EXPECT_FALSE(words.match("ab", "abc"));
  EXPECT_FALSE(words.match("abc", "ab"));
}

}  // namespace
}  // namespace carillon
