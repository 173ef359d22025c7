#include "engine/log/log_import.h"

#include <gmock/gmock.h>

#include "engine/log/log_check.h"
#include "engine/log/log_export.h"
#include "engine/log/written_log_double.h"
#include "engine/memory/hub_double.h"
#include "engine/memory/memory_engine.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using Lines = std::vector<std::string>;

class LogImportTest : public WrittenLogTest<FixedClock, SeededRandom, MemoryEngine> {
 protected:
  Lines exported(const std::string& directory, const std::string& channel = {}) {
    const auto store = LogStore::open(disk_, clock_, random_, {.directory = directory, .only_read = true});
    EXPECT_TRUE(store) << store.error().text;
    Lines lines;
    const Result<void> done = export_log(
        **store, channel,
        [&lines](std::string_view line) {
          lines.emplace_back(line);
          return true;
        },
        [](std::string_view, std::uint64_t, std::uint64_t) {});
    EXPECT_TRUE(done) << done.error().text;
    return lines;
  }
  Result<void> import(const std::string& directory, const Lines& lines) {
    const auto import = LogImport::begin(disk_, clock_, random_, directory);
    if (!import) return import.error();
    for (const std::string& line : lines) {
      if (Result<void> added = (*import)->add(line); !added) return added;
    }
    return (*import)->finish();
  }
  void write_something_of_everything() {
    open();
    publish("json", "{\"a\":\r\n [1,\t\"\\n\"]}", "key");
    publish("json", "2");
    publish({.channel = "other",
             .event = "bytes",
             .payload = Bytes::copy_of(std::string("\0\xff", 2)),
             .format = PayloadFormat::kBytes});
    publish({.channel = "other",
             .event = "cbor",
             .payload = Bytes::copy_of("\x01"),
             .format = PayloadFormat::kCbor,
             .identity = std::make_shared<const Identity>(Identity{.user = "alice", .trusted = true, .verified = true}),
             .tags = {{"b", "1"}, {"a", "2"}, {"b", "3"}},
             .idempotency_key = "not UTF-8 \xff"});
    publish(
        {.channel = "other", .event = "e", .payload = Bytes::copy_of("null"), .identity = std::make_shared<const Identity>()});
    change({.key = "state", .value = std::string("\0v", 2)});
    change({.key = "short", .value = "v", .expires_at_ms = clock_.now_ms + 1000});
    change({.key = "gone", .value = "v", .expires_at_ms = clock_.now_ms - 1});
  }
};

TEST_F(LogImportTest, TheTextOfALogMakesTheSameLog) {
  write_something_of_everything();
  close();
  const Lines text = exported(kDirectory);
  EXPECT_THAT(text, SizeIs(1 + 2 + 5 + 2 + 2));
  ASSERT_TRUE(import("/copy", text));
  EXPECT_EQ(exported("/copy"), text);
  const auto checked = check_log(disk_, clock_, random_, "/copy", [](std::string_view, std::uint64_t, std::uint64_t) {});
  EXPECT_TRUE(checked->sound()) << checked->faults.front();
}

TEST_F(LogImportTest, ALineIsReadable) {
  open();
  publish("room:1", "{\"a\":\n1}", "k");
  const PublicationPtr publication = history("room:1").publications.front();
  close();
  const Lines text = exported(kDirectory);
  ASSERT_THAT(text, SizeIs(4));
  EXPECT_THAT(text[0], HasSubstr("{\"log\":\"carillon log text 1\",\"epoch\":\""));
  EXPECT_THAT(text[1], HasSubstr("{\"channel\":\"room:1\",\"epoch\":\""));
  EXPECT_EQ(text[2], "{\"channel\":\"room:1\",\"offset\":1,\"id\":\"" + publication->id.text() +
                         "\",\"time\":" + std::to_string(publication->time_ms) + ",\"event\":\"e\",\"data\":{\"a\": 1}}");
  EXPECT_THAT(text[3], HasSubstr("{\"channel\":\"room:1\",\"key\":\"k\",\"id\":\"" + publication->id.text()));
}

TEST_F(LogImportTest, AServerGoesOnWithTheCopy) {
  write_something_of_everything();
  const HistoryPage before = history("other");
  close();
  const Lines text = exported(kDirectory);
  ASSERT_TRUE(disk_.rename(kDirectory, "/original"));
  ASSERT_TRUE(import(kDirectory, text));
  open();
  const HistoryPage after = history("other");
  EXPECT_EQ(after.top, before.top);
  ASSERT_THAT(after.publications, SizeIs(before.publications.size()));
  for (std::size_t i = 0; i < after.publications.size(); ++i) {
    EXPECT_EQ(after.publications[i]->id, before.publications[i]->id);
    EXPECT_EQ(after.publications[i]->payload.view(), before.publications[i]->payload.view());
    EXPECT_EQ(after.publications[i]->tags, before.publications[i]->tags);
    EXPECT_EQ(after.publications[i]->identity == nullptr, before.publications[i]->identity == nullptr);
  }
  EXPECT_TRUE(publish("json", "again", "key").repeated);
  EXPECT_EQ(publish("json", "3").position->offset, 3u);
  EXPECT_EQ(publish("new", "1").position->epoch, before.top->epoch) << "a position in a channel yet to come holds";
  EXPECT_EQ(state("state"), std::string("\0v", 2));
  EXPECT_EQ(state("gone"), std::nullopt);
}

TEST_F(LogImportTest, OfOneChannelOnlyThatOne) {
  write_something_of_everything();
  close();
  EXPECT_THAT(exported(kDirectory, "json"), SizeIs(1 + 1 + 2 + 1));
  const auto store = LogStore::open(disk_, clock_, random_, {.directory = kDirectory, .only_read = true});
  const Result<void> done = export_log(
      **store, "none", [](std::string_view) { return true; }, [](std::string_view, std::uint64_t, std::uint64_t) {});
  EXPECT_EQ(done.error().kind, ErrorKind::kNotFound);
}

TEST_F(LogImportTest, WhatRetentionTookIsNotMissed) {
  open();
  for (int i = 0; i < 1100; ++i) publish("a", std::to_string(i));
  close();
  const Lines text = exported(kDirectory);
  EXPECT_THAT(text, SizeIs(1002));
  ASSERT_TRUE(import("/copy", text));
  EXPECT_EQ(exported("/copy"), text);
}

TEST_F(LogImportTest, EveryLineThatCannotBeIsRefusedAndNothingIsLeft) {
  open();
  publish("a", "1", "k");
  publish("a", "2");
  close();
  const Lines good = exported(kDirectory);
  ASSERT_THAT(good, SizeIs(5));
  const auto with = [&good](std::size_t line, std::string_view from, std::string_view to) {
    Lines lines = good;
    const std::size_t place = lines[line].find(from);
    EXPECT_NE(place, std::string::npos) << from;
    lines[line].replace(place, from.size(), to);
    return lines;
  };
  const std::string id = "\"id\":\"";
  const std::vector<std::pair<Lines, std::string>> wrong = {
      {{}, "there is no line"},
      {{""}, "EOF"},
      {{"[]"}, "no JSON object"},
      {{good[1]}, "the first line must say the format"},
      {with(0, "text 1", "text 2"), "this program reads"},
      {with(0, "\"epoch\":\"", "\"epoch\":\"x"), "`epoch` is not"},
      {{good[0], good[2]}, "no line of channel a comes before"},
      {{good[0], good[1], good[1]}, "ends before its offset 2"},
      {{good[0], good[1], good[3]}, "`offset` is 2, and 1 must come"},
      {{good[0], good[1], good[2]}, "ends before its offset 2"},
      {{good[0], good[1], good[2], good[3], good[1]}, "was there already"},
      {with(1, "\"oldest\":1", "\"oldest\":4"), "`oldest` is beyond"},
      {with(1, "\"oldest\":1", "\"oldest\":-1"), "`oldest` is not a whole number"},
      {with(1, "\"time\":", "\"time\":0,\"t\":"), "`t` is unknown here"},
      {with(2, "\"event\":\"e\"", "\"event\":\"e\",\"event\":\"f\""), "`event` is unknown here, or given twice"},
      {with(2, id, "\"id\":\"0"), "`id` is not a UUID"},
      {with(2, "\"data\":1", "\"bytes\":\"?\""), "`bytes` is not Base64"},
      {with(2, "\"data\":1", "\"data\":1,\"tags\":{\"a\":1}"), "`tags` is not an object of strings"},
      {with(3, "\"time\":", "\"time\":1,\"was\":"), "`was` is unknown"},
      {with(4, "\"offset\":1", "\"offset\":0"), "needs a channel and an offset"},
  };
  for (const auto& [lines, text] : wrong) {
    const Result<void> done = import("/copy", lines);
    ASSERT_FALSE(done) << text;
    EXPECT_EQ(done.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(done.error().text, HasSubstr(text));
    EXPECT_FALSE(disk_.info("/copy")) << text;
  }
}

TEST_F(LogImportTest, OnlyIntoAnEmptyDirectory) {
  write_something_of_everything();
  close();
  EXPECT_EQ(import(kDirectory, {}).error().kind, ErrorKind::kConflict);
  EXPECT_THAT(exported(kDirectory), SizeIs(12));
}

TEST_F(LogImportTest, AnInterruptedImportIsNoLog) {
  const auto import = LogImport::begin(disk_, clock_, random_, kDirectory);
  ASSERT_TRUE(import);
  ASSERT_TRUE((*import)->add(R"({"log":"carillon log text 1","epoch":"00000000000000aa"})"));
  disk_.lose_power();
  disk_.restore_power();
  const auto opened = LogStore::open(disk_, clock_, random_, {.directory = kDirectory});
  if (disk_.info(kDirectory)) {
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().text, HasSubstr("an import into /log was interrupted"));
  }
}

}  // namespace
}  // namespace carillon
