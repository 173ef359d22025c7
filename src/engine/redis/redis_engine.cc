#include "engine/redis/redis_engine.h"

#include <future>
#include <utility>

namespace carillon {
namespace {

// How long Redis may take to be told that this node leaves.
constexpr Millis kLeaveMax{2'000};

RedisOptions with_rule(RedisOptions options) {
  if (!options.rule_for) options.rule_for = [](std::string_view) { return HistoryRule{}; };
  return options;
}

std::size_t waiting_bytes(const Draft& draft) {
  return sizeof(RedisPublish) + draft.channel.size() + draft.event.size() + draft.payload.size();
}

}  // namespace

RedisEngine::RedisEngine(Loop& loop, Dialer& dialer, const Clock& clock, Random& random, RedisOptions options)
    : loop_(loop),
      options_(with_rule(std::move(options))),
      keys_(options_.prefix),
      writer_{.node = "n" + hex_text(random.next_u64())},
      leave_timer_([this] { end_client(); }) {
  burst_->engine = this;
  client_ = std::make_unique<RedisServers>(loop_, dialer, random, options_);
  nodes_ = std::make_unique<RedisNodes>(loop_, *client_, keys_,
                                        RedisNodesOptions{.name = writer_.node, .started_at_ms = clock.unix_ms()});
  presence_ = std::make_unique<RedisPresence>(loop_, *client_, keys_, clock, *nodes_);
  state_ = std::make_unique<RedisState>(loop_, *client_, keys_);
  parts_ = std::make_unique<RedisParts>(RedisParts{loop_, *client_, clock, options_, keys_, writer_});
  feeds_ = std::make_unique<RedisFeeds>(*parts_);
  publisher_ = std::make_unique<RedisPublisher>(*parts_, *feeds_, random);
  history_ = std::make_unique<RedisHistory>(*parts_, *feeds_);
  groups_ = std::make_unique<RedisGroups>(*parts_);
}

RedisEngine::~RedisEngine() {
  end_now();
}

// ---- Any thread ----

void RedisEngine::ask(Work work) {
  bool first = false;
  {
    const std::lock_guard lock(burst_->mutex);
    if (burst_->engine == nullptr) return;  // It is answered when it ends.
    first = burst_->work.empty();
    burst_->work.push_back(std::move(work));
  }
  if (first) loop_.post([burst = burst_] { take(*burst); });
}

void RedisEngine::add_interest(const Selector& selector) {
  presence_->add_interest(selector);
  ask(Task([this, selector] { feeds_->add(selector); }));
}

void RedisEngine::remove_interest(const Selector& selector) {
  presence_->remove_interest(selector);
  ask(Task([this, selector] { feeds_->remove(selector); }));
}

void RedisEngine::publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) {
  const HistoryRule rule = is_private(draft.deliver_to) ? HistoryRule{} : options_.rule_for(draft.channel);
  std::optional<RedisPlace> place = RedisPlace::take(waiting_room_, waiting_bytes(draft), options_);
  if (!place) {
    return done(Error{ErrorKind::kLimit, "too many publishes wait for Redis; publish more slowly, or try again later"});
  }
  std::optional<std::string> compressed = compressed_payload(draft, options_.compress_bytes);
  ask(RedisPublish{.draft = std::move(draft),
                   .compressed = std::move(compressed),
                   .rule = rule,
                   .place = *std::move(place),
                   .done = RedisAnswer<Receipt>(std::move(done))});
}

void RedisEngine::history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) {
  ask(Task([this, query = std::move(query), answer = RedisAnswer<HistoryPage>(std::move(done))]() mutable {
    history_->page(std::move(query), std::move(answer));
  }));
}

void RedisEngine::publications(std::string channel, std::vector<Uuid> ids,
                               UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) {
  ask(Task([this, channel = std::move(channel), ids = std::move(ids),
            answer = RedisAnswer<std::vector<PublicationPtr>>(std::move(done))]() mutable {
    history_->publications(std::move(channel), std::move(ids), std::move(answer));
  }));
}

void RedisEngine::remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) {
  ask(Task([this, channel = std::move(channel), answer = RedisAnswer<void>(std::move(done))]() mutable {
    history_->remove(channel, std::move(answer));
  }));
}

void RedisEngine::channels(std::string prefix, std::string after, std::size_t count_max,
                           UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) {
  ask(Task([this, prefix = std::move(prefix), after = std::move(after), count_max,
            answer = RedisAnswer<std::vector<ChannelRecord>>(std::move(done))]() mutable {
    history_->channels(std::move(prefix), std::move(after), count_max, std::move(answer));
  }));
}

RedisEngineStats RedisEngine::stats() const {
  return {.waiting = waiting_room_.count.load(), .waiting_bytes = waiting_room_.bytes.load()};
}

// ---- On the loop ----

void RedisEngine::take(Burst& burst) {
  std::vector<Work> work;
  {
    const std::lock_guard lock(burst.mutex);
    work.swap(burst.work);
    if (burst.engine == nullptr) return;
  }
  RedisEngine& engine = *burst.engine;
  for (Work& one : work) {
    if (RedisPublish* const publish = std::get_if<RedisPublish>(&one)) {
      engine.publisher_->add(std::move(*publish));
      continue;
    }
    // What is asked behind a publish finds it sent.
    engine.publisher_->flush();
    std::get<Task>(one)();
  }
  engine.publisher_->flush();
}

// ---- Beginning and end ----

void RedisEngine::start() {
  ask(Task([this] { nodes_->start(); }));
}

void RedisEngine::stop() {
  if (loop_.in_loop_thread()) {
    end_now();
    return;
  }
  std::promise<void> ended;
  RedisAnswer<void> left([&ended](const Result<void>&) { ended.set_value(); });
  // Behind everything that was asked before.
  ask(Task([this, left = std::move(left)]() mutable { leave(std::move(left)); }));
  ended.get_future().wait();
}

void RedisEngine::close() {
  std::vector<Work> dropped;  // Answered without the lock.
  const std::lock_guard lock(burst_->mutex);
  burst_->engine = nullptr;
  dropped.swap(burst_->work);
}

void RedisEngine::end_now() {
  close();
  if (!std::exchange(leaving_, true)) {
    presence_->stop([](bool) {});
    nodes_->stop({}, [] {});
  }
  end_client();
}

void RedisEngine::leave(RedisAnswer<void> left) {
  if (client_ == nullptr) return;
  left_.push_back(std::move(left));
  if (std::exchange(leaving_, true)) return;
  close();
  loop_.schedule(leave_timer_, kLeaveMax);
  presence_->stop(guard_.wrap([this](bool gone) {
    nodes_->stop({.keep_lease = !gone}, guard_.wrap([this] {
      // Not inside a call of the client. What was sent before is answered by now.
      loop_.post(guard_.wrap([this] { end_client(); }));
    }));
  }));
}

// Whatever waits for Redis is answered. Presence, state, nodes and groups stay, to answer what comes later.
void RedisEngine::end_client() {
  leave_timer_.cancel();
  if (client_ == nullptr) return;
  state_->stop();
  groups_->stop();
  history_.reset();
  publisher_.reset();
  feeds_.reset();
  client_.reset();
  left_.clear();
}

}  // namespace carillon
