// LogWriter: turns what waits into batches on the disk. Publishes that wait together are written, and where their channels want
// it synced, together; then each is handed out, shown to readers and answered, in this order.
//
// A publication gets its place when its batch is made. When the disk refuses the batch, all of it is undone and everybody in it
// is answered with the error: nothing was handed out. The writer then asks the disk twice a second whether it is well again,
// and refuses until it is.
//
// Used by one thread at a time, but for the questions at the end.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/counter.h"
#include "base/fast_random.h"
#include "engine/log/log_channels.h"
#include "engine/log/log_reader.h"
#include "engine/log/log_store.h"

namespace carillon {

struct LogWriterOptions {
  // An idempotency key is remembered this long, over restarts too.
  std::int64_t idempotency_ms = 5 * 60 * 1000;
  // Channels that keep a position. Beyond it, about, a publish to a new channel fails with kLimit.
  std::size_t channels_max = 1'000'000;
  // Of which so many are known in memory; more while they are in use.
  std::size_t channels_cached = 100'000;
  // A channel whose history is empty by age is forgotten after this time without a publication: a new epoch follows.
  std::int64_t channel_idle_ms = 24 * 60 * 60 * 1000;
  // What Durability::kInterval wrote survives a loss of power so long after, at the latest.
  std::int64_t sync_interval_ms = 200;
};

// What waits to be written.
struct LogPublish {
  Draft draft;
  HistoryRule rule;
  UniqueFunction<void(Result<Receipt>)> done;
};
struct LogStateChange {
  std::vector<StateChange> changes;
  bool synced = false;
  UniqueFunction<void(Result<void>)> done;
};
struct LogRemoval {
  std::string channel;
  UniqueFunction<void(Result<void>)> done;
};
using LogWork = std::variant<LogPublish, LogStateChange, LogRemoval>;

class LogWriter {
 public:
  // All of them outlive the writer.
  LogWriter(LogStore& store, LogChannels& channels, LogReader& reader, const Clock& clock, Random& random,
            const LogWriterOptions& options);

  void set_events(EngineEvents& events) { events_ = &events; }

  // Writes all of it and answers everybody. The order of a channel's publishes, and of state changes, is kept.
  void write(std::span<LogWork> work);
  // What is due by the clock: syncing what was written without, retention by age. To be called about every 20 ms.
  void tick();
  // Syncs what was written without.
  void finish();

  // Any thread.
  bool writable() const { return writable_.load(std::memory_order_relaxed); }
  std::uint64_t failed_total() const { return failed_total_.get(); }  // Publishes the disk refused.
  std::uint64_t batches_total() const { return batches_total_.get(); }
  std::uint64_t syncs_total() const { return syncs_total_.get(); }

 private:
  // One that is in the batch, or is answered with it.
  struct Made {
    LogPublish* publish;
    LogChannelPtr channel;  // Null: nothing is written for it.
    PublicationPtr publication;
    Result<Receipt> outcome;
  };
  struct Touched {
    LogChannelPtr channel;
    LogChannelRecord before;
    bool is_new;
  };

  void write_run(std::span<LogWork> run);
  void write_part(std::span<LogWork> run, bool synced);
  void commit(bool synced);
  Result<void> commit_batch(bool synced);
  void answer(const Error& error);
  void hand_out();

  void make(LogPublish& publish);
  Result<std::optional<Receipt>> earlier_receipt(const Draft& draft);
  Result<LogChannelPtr> channel_for(const LogPublish& publish);
  LogChannelRecord& touch(const LogChannelPtr& channel, bool is_new = false);
  void put_touched();
  void settle_touched(bool written);
  void trim_bytes(LogChannel& channel);
  std::optional<std::uint64_t> bytes_before(const LogChannel& channel, std::uint64_t offset) const;

  void remove(LogRemoval& removal);
  void forget(const LogChannelPtr& channel);

  bool disk_is_well();
  void note_failure(const Error& error);

  void expire_known(std::int64_t now_ms);
  void trim_age(const LogChannelPtr& channel, std::int64_t now_ms);
  void look_at_stored(std::int64_t now_ms);

  LogStore& store_;
  LogChannels& channels_;
  LogReader& reader_;
  const Clock& clock_;
  Random& random_;
  FastRandom ids_;
  const LogWriterOptions options_;
  EngineEvents* events_ = nullptr;

  // The batch being made.
  LogBatch batch_;
  std::uint64_t batch_number_ = 1;
  std::vector<Made> made_;
  std::vector<LogStateChange*> states_;
  std::vector<Touched> touched_;
  std::vector<LogChannelPtr> forgotten_;
  boost::unordered_flat_map<std::string, Receipt> keys_;  // Channel, a zero byte, the client's key.
  bool wants_interval_ = false;

  LogChannelPtr last_;  // The channel of the publish before.
  std::uint64_t next_number_;
  std::uint64_t saved_next_number_;
  std::size_t channel_count_;

  bool unsynced_ = false;  // Something was written that wants the interval's sync.
  std::int64_t synced_ms_ = 0;
  std::optional<Error> failure_;
  std::int64_t retry_ms_ = 0;
  std::size_t next_stripe_ = 0;  // To be looked at for what is too old.
  std::string next_stored_;      // The name after which stored channels are looked at next.
  std::int64_t stored_ms_ = 0;

  std::atomic<bool> writable_{true};
  Counter failed_total_, batches_total_, syncs_total_;
};

}  // namespace carillon
