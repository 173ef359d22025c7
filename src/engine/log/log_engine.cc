#include "engine/log/log_engine.h"

#include <chrono>
#include <utility>

namespace carillon {
namespace {

constexpr std::chrono::milliseconds kTick{20};

Error stopped() {
  return {ErrorKind::kUnavailable, "the server is stopping; try again at another one, or later"};
}

// What one waiting publish takes, about.
std::size_t waiting_bytes(const Draft& draft) {
  return sizeof(LogWork) + draft.channel.size() + draft.event.size() + draft.payload.size();
}

void refuse(LogWork& work, const Error& error) {
  std::visit([&](auto& one) { one.done(error); }, work);
}

}  // namespace

Result<std::unique_ptr<LogEngine>> LogEngine::open(Files& files, const Clock& clock, Random& random, Engine& passing,
                                                   const LogEngineOptions& options) {
  LogStoreOptions store_options = options.store;
  store_options.key_ms = options.writer.idempotency_ms;
  Result<std::unique_ptr<LogStore>> store = LogStore::open(files, clock, random, store_options);
  if (!store) return store.error();
  return std::unique_ptr<LogEngine>(new LogEngine(*std::move(store), clock, random, passing, options));
}

LogEngine::LogEngine(std::unique_ptr<LogStore> store, const Clock& clock, Random& random, Engine& passing,
                     const LogEngineOptions& options)
    : passing_(passing),
      options_(options),
      store_(std::move(store)),
      reader_(*store_, channels_, clock, options_.rule_for),
      writer_(*store_, channels_, reader_, clock, random, options_.writer) {
  if (options_.readers == 0) return;
  writer_thread_ = std::thread([this] { run_writer(); });
  for (std::size_t i = 0; i < options_.readers; ++i) reader_threads_.emplace_back([this] { run_reader(); });
}

LogEngine::~LogEngine() {
  stop();
}

void LogEngine::set_events(EngineEvents& events) {
  passing_.set_events(events);
  writer_.set_events(events);
}

// ---- Writing ----

void LogEngine::publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) {
  const HistoryRule rule = options_.rule_for(draft.channel);
  if (rule.count_max == 0 || is_private(draft.deliver_to)) return passing_.publish(std::move(draft), std::move(done));
  const std::size_t bytes = waiting_bytes(draft);
  add_work(LogPublish{std::move(draft), rule, std::move(done)}, bytes);
}

void LogEngine::remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) {
  add_work(LogRemoval{std::move(channel), std::move(done)}, sizeof(LogWork));
}

void LogEngine::State::change(std::vector<StateChange> changes, bool synced, UniqueFunction<void(Result<void>)> done) {
  std::size_t bytes = sizeof(LogWork);
  for (const StateChange& change : changes) bytes += change.key.size() + (change.value ? change.value->size() : 0);
  engine_.add_work(LogStateChange{std::move(changes), synced, std::move(done)}, bytes);
}

void LogEngine::add_work(LogWork work, std::size_t bytes) {
  std::optional<Error> refused;
  bool first = false;
  {
    const std::lock_guard lock(work_mutex_);
    if (stopping_) {
      refused = stopped();
    } else if (work_.size() >= options_.waiting_max || work_bytes_ + bytes > options_.waiting_bytes_max) {
      refused = Error{ErrorKind::kLimit, "too many publishes wait for the disk; publish more slowly, or try again later"};
    } else {
      first = work_.empty();
      work_.push_back(std::move(work));
      work_bytes_ += bytes;
      waiting_.store(work_.size(), std::memory_order_relaxed);
    }
  }
  if (refused) return refuse(work, *refused);
  if (options_.readers == 0) return write_in_call();
  if (first) work_there_.notify_one();
}

// Answers may publish again: that is written when the call that answers is done.
void LogEngine::write_in_call() {
  for (;;) {
    std::vector<LogWork> work;
    {
      const std::lock_guard lock(work_mutex_);
      if (writing_in_call_ || work_.empty()) return;
      work.swap(work_);
      work_bytes_ = 0;
      waiting_.store(0, std::memory_order_relaxed);
      writing_in_call_ = true;
    }
    writer_.write(work);
    const std::lock_guard lock(work_mutex_);
    writing_in_call_ = false;
  }
}

void LogEngine::run_writer() {
  std::vector<LogWork> work;
  for (auto next_tick = std::chrono::steady_clock::now() + kTick;;) {
    bool ending = false;
    {
      std::unique_lock lock(work_mutex_);
      work_there_.wait_until(lock, next_tick, [this] { return !work_.empty() || stopping_; });
      work.swap(work_);
      work_bytes_ = 0;
      waiting_.store(0, std::memory_order_relaxed);
      ending = stopping_ && work.empty();
    }
    writer_.write(work);
    work.clear();
    if (ending) return writer_.finish();
    if (const auto now = std::chrono::steady_clock::now(); now >= next_tick) {
      writer_.tick();
      next_tick = now + kTick;
    }
  }
}

void LogEngine::tick() {
  if (options_.readers == 0) writer_.tick();
}

// ---- Reading ----

template <class T, class Read>
void LogEngine::read(UniqueFunction<void(Result<T>)> done, Read read) {
  if (options_.readers == 0) return done(read());
  // The answer is needed again when the task is refused.
  auto kept = std::make_shared<UniqueFunction<void(Result<T>)>>(std::move(done));
  Task task = [kept, read = std::move(read)]() mutable { (*kept)(read()); };
  if (!add_read(task)) (*kept)(stopped());
}

bool LogEngine::add_read(Task& task) {
  {
    const std::lock_guard lock(reads_mutex_);
    if (reads_end_) return false;
    reads_.push_back(std::move(task));
  }
  read_there_.notify_one();
  return true;
}

void LogEngine::run_reader() {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(reads_mutex_);
      read_there_.wait(lock, [this] { return reads_taken_ < reads_.size() || reads_end_; });
      if (reads_taken_ == reads_.size()) return;
      task = std::move(reads_[reads_taken_++]);
      if (reads_taken_ == reads_.size()) {
        reads_.clear();
        reads_taken_ = 0;
      }
    }
    task();
  }
}

void LogEngine::history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) {
  if (std::optional<HistoryPage> page = reader_.page_at_hand(query)) return done(*std::move(page));
  read<HistoryPage>(std::move(done), [this, query = std::move(query)] { return reader_.page(query); });
}

void LogEngine::publications(std::string channel, std::vector<Uuid> ids,
                             UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) {
  read<std::vector<PublicationPtr>>(std::move(done), [this, channel = std::move(channel), ids = std::move(ids)] {
    return reader_.publications(channel, ids);
  });
}

void LogEngine::channels(std::string prefix, std::string after, std::size_t count_max,
                         UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) {
  read<std::vector<ChannelRecord>>(std::move(done), [this, prefix = std::move(prefix), after = std::move(after), count_max] {
    return reader_.channels(prefix, after, count_max);
  });
}

void LogEngine::State::read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) {
  engine_.read<std::optional<std::string>>(std::move(done),
                                           [&store = *engine_.store_, key = std::move(key)] { return store.state(key); });
}

void LogEngine::State::list(std::string prefix, std::string after, std::size_t count_max,
                            UniqueFunction<void(Result<std::vector<StateRecord>>)> done) {
  engine_.read<std::vector<StateRecord>>(
      std::move(done), [&store = *engine_.store_, prefix = std::move(prefix), after = std::move(after), count_max] {
        return store.states(prefix, after, count_max);
      });
}

// ---- The end ----

void LogEngine::stop() {
  {
    const std::lock_guard lock(work_mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  work_there_.notify_one();
  if (writer_thread_.joinable()) {
    writer_thread_.join();
  } else {
    writer_.finish();
  }
  {
    const std::lock_guard lock(reads_mutex_);
    reads_end_ = true;
  }
  read_there_.notify_all();
  for (std::thread& thread : reader_threads_) thread.join();
}

LogEngineStats LogEngine::stats() const {
  return {.writable = writer_.writable(),
          .waiting = waiting_.load(std::memory_order_relaxed),
          .failed_total = writer_.failed_total(),
          .batches_total = writer_.batches_total(),
          .syncs_total = writer_.syncs_total(),
          .disk_bytes = store_->disk_bytes(),
          .memory_bytes = store_->memory_bytes()};
}

}  // namespace carillon
