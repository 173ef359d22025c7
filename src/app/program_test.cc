#include "app/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/scratch_file.h"

namespace carillon {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct Ended {
  int code;
  std::string out;
  std::string err;
};

Ended run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "carillon");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_program(static_cast<int>(arguments.size()), arguments.data());
  std::fflush(stdout);
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

class ConfigCommand : public testing::Test {
 protected:
  const char* file(const std::string& text) {
    file_.write(text);
    return path_.c_str();
  }

  const ScratchFile file_{".toml"};
  const std::string path_ = file_.path();
};

TEST(Program, EveryCommandHasHelpWorthReading) {
  EXPECT_THAT(run({"--help"}).out, AllOf(HasSubstr("serve"), HasSubstr("check-config"), HasSubstr("Exit codes")));
  for (const char* command : {"serve", "pub", "sub", "history", "presence", "log", "token", "check-config"}) {
    const Ended ended = run({command, "--help"});
    EXPECT_EQ(ended.code, 0) << command;
    EXPECT_THAT(ended.out, AllOf(HasSubstr("Examples:"), HasSubstr("Exit codes:"))) << command;
    EXPECT_THAT(ended.err, IsEmpty()) << command;
  }
}

TEST(Program, EveryWordOfLogHasHelpWorthReading) {
  for (const char* word : {"check", "export", "import"}) {
    const Ended ended = run({"log", word, "--help"});
    EXPECT_EQ(ended.code, 0) << word;
    EXPECT_THAT(ended.out, AllOf(HasSubstr("DIR"), HasSubstr("Examples:"), HasSubstr("Exit codes:"))) << word;
    EXPECT_THAT(ended.err, IsEmpty()) << word;
  }
}

TEST(Program, ALogThatIsNotThereIsNeitherCheckedNorMade) {
  const ScratchFile place;
  for (const char* word : {"check", "export"}) {
    const Ended ended = run({"log", word, place.path().c_str()});
    EXPECT_EQ(ended.code, 1) << word;
    EXPECT_THAT(ended.err, StartsWith("carillon: there is no log in " + place.path())) << word;
    EXPECT_FALSE(std::filesystem::exists(place.path())) << word;
  }
}

TEST(Program, Version) {
  const Ended ended = run({"version"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, std::string("carillon ") + CARILLON_VERSION + "\n");
}

TEST(Program, AWrongCommandLineIsCodeTwo) {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"ring"},
      {"serve", "--no-such-flag"},
      {"pub"},
      {"pub", "room:x"},
      {"pub", "room:x", "e", "1", "2"},
      {"pub", "room:x", "e", "1", "--lines"},
      {"pub", "room:x", "e", "--lines", "--idempotency-key", "k"},
      {"sub"},
      {"sub", "room:x", "--count", "0"},
      {"sub", "room:x", "--recover", "nonsense"},
      {"sub", "room:x", "room:y", "--recover", "1:2"},
      {"sub", "room:x", "--recover", "1:2", "--since-beginning"},
      {"history", "room:x", "--limit", "many"},
      {"history", "room:x", "--since", "5"},
      {"log"},
      {"log", "mend"},
      {"log", "check"},
      {"log", "export", "a", "b"},
      {"log", "import", "a", "--repair"},
      {"token"},
      {"token", "--user", "alice", "--ttl"},
      {"check-config"},
      {"bench", "--subscribers", "5", "channels"},
      {"bench", "channels", "--subscribers", "5"},
      {"bench", "channels", "--adapter", "redis"},
      {"bench", "channels", "--clients", "0"},
      {"bench", "channels", "--clients", "1000000", "--broadcasts", "1000"},
  };
  for (const auto& arguments : wrong) {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.code, 2) << testing::PrintToString(arguments);
    EXPECT_FALSE(ended.err.empty()) << testing::PrintToString(arguments);
  }
}

TEST(Bench, ChannelsSaysWhatAllRunsHaveInCommon) {
  const Ended ended = run({"bench", "channels", "--clients", "2", "--broadcasts", "1", "--adapter", "cluster_ready"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("channels adapter=cluster_ready:bench-1@bench topic=\"bench\" clients=2 broadcasts=1 "
                                   "deliveries=2 p50=1 p95=2 outbox="));
}

TEST(Bench, ChannelsHelpIsWorthReading) {
  const Ended ended = run({"bench", "channels", "--help"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, AllOf(HasSubstr("Examples:"), HasSubstr("latency units"), HasSubstr("Exit codes:")));
}

TEST(Program, AMisspeltCommandIsSuggested) {
  EXPECT_THAT(run({"histroy", "room:x"}).err, HasSubstr("Did you mean `history`?"));
  EXPECT_THAT(run({"ring"}).err, testing::Not(HasSubstr("Did you mean")));
}

TEST(Program, WithoutACommandItListsThemAll) {
  const Ended ended = run({});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("serve"), HasSubstr("check-config")));
}

TEST(Pub, DataThatIsNoJsonIsRefusedWithAHint) {
  const Ended ended = run({"pub", "room:x", "e", "{broken"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, AllOf(StartsWith("carillon: DATA is no JSON ("), HasSubstr("--text sends it as a JSON string")));
}

TEST(Pub, AUrlThatIsNoneIsRefused) {
  const Ended ended = run({"pub", "room:x", "e", "1", "--url", "https://localhost"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, HasSubstr("--url: `https://localhost` asks for TLS"));
}

TEST(Clients, NobodyThereIsOneLine) {
  // Port 1 of the loopback address is nobody's.
  for (const auto& arguments : std::vector<std::vector<const char*>>{{"pub", "room:x", "e", "1", "--url", "http://127.0.0.1:1"},
                                                                     {"sub", "room:x", "--url", "http://127.0.0.1:1"},
                                                                     {"history", "room:x", "--url", "http://127.0.0.1:1"},
                                                                     {"presence", "room:x", "--url", "http://127.0.0.1:1"}}) {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.code, 1);
    EXPECT_EQ(ended.err, "carillon: cannot connect to 127.0.0.1 port 1: Connection refused\n");
  }
}

constexpr const char* kSecret = "a secret of thirty-two bytes, no less";

TEST(Token, IsOneLineOfThreeParts) {
  const Ended ended = run({"token", "--user", "alice", "--secret", kSecret, "--claim", "role=\"editor\""});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, testing::MatchesRegex("[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\n"));
}

TEST(Token, SaysWhatIsWrong) {
  EXPECT_THAT(run({"token", "--user", "alice"}).err, HasSubstr("no secret to sign with"));
  EXPECT_THAT(run({"token", "--user", "alice", "--secret", "short"}).err, HasSubstr("has 5 bytes"));
  EXPECT_THAT(run({"token", "--user", "alice", "--secret", kSecret, "--ttl", "5"}).err, HasSubstr("--ttl: "));
  EXPECT_THAT(run({"token", "--user", "alice", "--secret", kSecret, "--claim", "role=editor"}).err,
              HasSubstr("--claim role: the value is no JSON"));
  EXPECT_EQ(run({"token", "--user", "alice", "--secret", "short"}).code, 1);
}

TEST_F(ConfigCommand, ATokenIsSignedWithTheSecretOfTheFile) {
  const char* config = file("[auth]\njwt_secrets = [\"a secret of thirty-two bytes, no less\"]\n");
  const Ended ended = run({"token", "--user", "alice", "--config", config});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, StartsWith("eyJ"));
}

TEST_F(ConfigCommand, SaysOk) {
  const Ended ended = run({"check-config", file("[server]\nloops = 2\n")});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "ok\n");
}

TEST_F(ConfigCommand, PrintsWhatHolds) {
  const Ended ended = run({"check-config", file("[server]\nloops = 2\n[auth]\napi_key = \"hush\"\n"), "--print"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, AllOf(StartsWith("# ok"), HasSubstr("\nloops = 2\n"), HasSubstr("\nmessage_bytes = \"1MiB\"\n"),
                               testing::Not(HasSubstr("hush"))));
}

TEST_F(ConfigCommand, SaysWhatIsWrongAndWhere) {
  const Ended ended = run({"check-config", file("[server]\nlops = 2\n")});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "carillon: " + path_ + ":2:1: unknown key `lops` in [server]; did you mean `loops`?\n");
  EXPECT_EQ(run({"check-config", "/nowhere/c.toml"}).code, 1);
}

TEST_F(ConfigCommand, ServeRefusesTheSame) {
  EXPECT_THAT(run({"serve", "--config", file("[server]\nlops = 2\n")}).err, HasSubstr("did you mean `loops`?"));
  EXPECT_THAT(run({"serve", "--loops", "many"}).err, HasSubstr("--loops takes a whole number"));
  EXPECT_THAT(run({"serve", "--engine", "tape"}).err,
              HasSubstr("--engine takes \"log\", \"memory\" or \"redis\", not \"tape\""));
  EXPECT_THAT(run({"serve", "--log-level", "loud"}).err, HasSubstr("--log-level takes \"debug\""));
  EXPECT_THAT(run({"serve", "--message-max", "32M"}).err, HasSubstr("--message-max takes a size"));
  EXPECT_THAT(run({"serve", "--listen", "0.0.0.0:0"}).err, HasSubstr("--insecure"));
  EXPECT_THAT(run({"serve", "--set", "limits.slow_consumer"}).err, HasSubstr("SECTION.KEY=VALUE"));
  EXPECT_THAT(run({"serve", "--set", "limits.slow_consumer=clos"}).err, HasSubstr("did you mean `close`?"));
  EXPECT_THAT(run({"serve", "--set", "limit.batch_max=1"}).err, HasSubstr("did you mean `limits.batch_max`?"));
  EXPECT_EQ(run({"serve", "--listen", "nowhere"}).code, 1);
}

}  // namespace
}  // namespace carillon
