// For tests: a log on a disk of the test, written by an engine that has ended again. The test brings a clock it can set, chance
// from a seed, and the engine for what is not kept.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/simulated_disk.h"
#include "engine/log/log_engine.h"

namespace carillon {

template <class TestClock, class TestRandom, class PassingEngine>
class WrittenLogTest : public testing::Test {
 protected:
  static inline const std::string kDirectory = "/log";

  void open() {
    LogEngineOptions options;
    options.store.directory = kDirectory;
    options.writer.idempotency_ms = 1'000'000'000;
    options.readers = 0;
    options.rule_for = [](std::string_view) { return HistoryRule{.count_max = 1000, .durability = Durability::kSync}; };
    auto opened = LogEngine::open(disk_, clock_, random_, memory_, options);
    ASSERT_TRUE(opened) << opened.error().text;
    engine_ = *std::move(opened);
  }
  void close() { engine_.reset(); }
  // As a crash leaves it: the newest is in write-ahead logs only.
  void crash() {
    disk_.lose_power();
    engine_.reset();
    disk_.restore_power();
  }

  Receipt publish(Draft draft) {
    std::optional<Result<Receipt>> outcome;
    engine_->publish(std::move(draft), [&outcome](Result<Receipt> receipt) { outcome = std::move(receipt); });
    EXPECT_TRUE(*outcome) << outcome->error().text;
    ++clock_.now_ms;
    return **outcome;
  }
  Receipt publish(const std::string& channel, const std::string& payload, const std::string& key = {}) {
    return publish({.channel = channel, .event = "e", .payload = Bytes::copy_of(payload), .idempotency_key = key});
  }
  HistoryPage history(const std::string& channel) {
    std::optional<HistoryPage> page;
    engine_->history({.channel = channel, .count_max = 1000}, [&page](Result<HistoryPage> found) { page = *std::move(found); });
    return *page;
  }
  std::vector<std::string> payloads(const std::string& channel) {
    std::vector<std::string> all;
    for (const PublicationPtr& publication : history(channel).publications) all.emplace_back(publication->payload.view());
    return all;
  }
  void change(StateChange change) {
    engine_->state().change({std::move(change)}, true, [](const Result<void>& done) { EXPECT_TRUE(done); });
  }
  std::optional<std::string> state(const std::string& key) {
    std::optional<std::string> value;
    engine_->state().read(key, [&value](Result<std::optional<std::string>> found) { value = *std::move(found); });
    return value;
  }

  std::string bytes_of(const std::string& path) {
    std::string bytes(disk_.info(path)->size, '\0');
    EXPECT_EQ(*(*disk_.read_from(path))->read(0, bytes), bytes.size());
    return bytes;
  }
  void write_bytes(const std::string& path, std::string_view bytes) {
    const auto file = disk_.create(path);
    EXPECT_TRUE((*file)->append(bytes));
    EXPECT_TRUE((*file)->sync());
  }
  // Those of the log whose names end so.
  std::vector<std::string> files(std::string_view suffix) {
    std::vector<std::string> found;
    const auto names = disk_.list(kDirectory);
    for (const std::string& name : *names) {
      if (name.ends_with(suffix)) found.push_back(kDirectory + "/" + name);
    }
    return found;
  }
  // Changes the first place in any of these files that has the text.
  void damage(std::string_view suffix, std::string_view text) {
    for (const std::string& path : files(suffix)) {
      std::string bytes = bytes_of(path);
      const std::size_t place = bytes.find(text);
      if (place == std::string::npos) continue;
      bytes[place] = static_cast<char>(bytes[place] ^ 1);
      return write_bytes(path, bytes);
    }
    FAIL() << "no file ending in " << suffix << " has " << text;
  }

  TestClock clock_;
  TestRandom random_{1};
  SimulatedDisk disk_{1};
  PassingEngine memory_{clock_, random_, {}};
  std::unique_ptr<LogEngine> engine_;
};

}  // namespace carillon
