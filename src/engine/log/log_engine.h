// The log engine: publications, idempotency keys and state are on a disk, and there again after a restart, in the same epoch.
//
// Channels that keep no history are another engine's, and so is presence: what is only of this moment needs no disk.
//
// One thread writes (log_writer.h): what is published while it is busy becomes its next batch. Others read pages. Without
// threads everything happens inside the calls, and tick() does what the clock asks for.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/log/log_channels.h"
#include "engine/log/log_reader.h"
#include "engine/log/log_store.h"
#include "engine/log/log_writer.h"
#include "hub/engine.h"

namespace carillon {

struct LogEngineOptions {
  LogStoreOptions store;
  LogWriterOptions writer;
  // Publishes and their bytes that may wait for the disk; beyond either a publish fails with kLimit.
  std::size_t waiting_max = 200'000;
  std::size_t waiting_bytes_max = 64u << 20;
  // Threads that read pages. With 0 there is no thread at all, the writer's neither.
  std::size_t readers = 2;
  // What a channel keeps, by its name; the same answer as long as the engine lives. Any thread.
  std::function<HistoryRule(std::string_view channel)> rule_for = [](std::string_view) { return HistoryRule{}; };
};

struct LogEngineStats {
  bool writable = true;
  std::uint64_t waiting = 0;        // Publishes.
  std::uint64_t failed_total = 0;   // Publishes that the disk refused.
  std::uint64_t batches_total = 0;  // Writes.
  std::uint64_t syncs_total = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t memory_bytes = 0;  // Of the store's buffers and cache.
};

class LogEngine final : public Engine {
 public:
  // `passing` takes what is not kept. All of the arguments outlive the engine. Errors: LogStore::open's.
  static Result<std::unique_ptr<LogEngine>> open(Files& files, const Clock& clock, Random& random, Engine& passing,
                                                 const LogEngineOptions& options);
  ~LogEngine() override;

  void set_events(EngineEvents& events) override;
  void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) override;
  void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) override;
  void publications(std::string channel, std::vector<Uuid> ids,
                    UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) override;
  void remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) override;
  void channels(std::string prefix, std::string after, std::size_t count_max,
                UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) override;
  PresenceStore& presence() override { return passing_.presence(); }
  StateStore& state() override { return state_; }

  // What the writer's thread does by itself; only without threads.
  void tick();
  // Writes and syncs what waits, answers everybody, ends the threads; what comes after is answered kUnavailable. Idempotent;
  // not on a thread of the engine.
  void stop();

  LogEngineStats stats() const;

 private:
  class State final : public StateStore {
   public:
    explicit State(LogEngine& engine) : engine_(engine) {}
    void change(std::vector<StateChange> changes, bool synced, UniqueFunction<void(Result<void>)> done) override;
    void read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) override;
    void list(std::string prefix, std::string after, std::size_t count_max,
              UniqueFunction<void(Result<std::vector<StateRecord>>)> done) override;

   private:
    LogEngine& engine_;
  };

  LogEngine(std::unique_ptr<LogStore> store, const Clock& clock, Random& random, Engine& passing,
            const LogEngineOptions& options);

  // Does the task on a reader's thread; `refused` instead when the engine has stopped.
  template <class T, class Read>
  void read(UniqueFunction<void(Result<T>)> done, Read read);
  bool add_read(Task& task);
  // What may not wait any more is answered here.
  void add_work(LogWork work, std::size_t bytes);
  void write_in_call();
  void run_writer();
  void run_reader();

  Engine& passing_;
  const LogEngineOptions options_;
  const std::unique_ptr<LogStore> store_;
  LogChannels channels_;
  LogReader reader_;
  LogWriter writer_;
  State state_{*this};

  std::mutex work_mutex_;
  std::condition_variable work_there_;
  std::vector<LogWork> work_;  // Under work_mutex_, with the next three:
  std::size_t work_bytes_ = 0;
  bool writing_in_call_ = false;
  bool stopping_ = false;
  std::atomic<std::uint64_t> waiting_{0};

  std::mutex reads_mutex_;
  std::condition_variable read_there_;
  std::vector<Task> reads_;  // Under reads_mutex_; newest last.
  std::size_t reads_taken_ = 0;
  bool reads_end_ = false;

  std::vector<std::thread> reader_threads_;
  std::thread writer_thread_;
};

}  // namespace carillon
