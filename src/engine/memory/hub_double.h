// A world for the hub's tests: loops turned by hand in any order, a memory engine that may answer late, clients that write
// down what they received.
#pragma once

#include <atomic>
#include <charconv>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/manual_loop.h"
#include "engine/memory/memory_engine.h"
#include "hub/durable_subscriptions.h"
#include "hub/engine_double.h"
#include "hub/hub.h"
#include "hub/session.h"
#include "hub/shard.h"

namespace carillon {

// std::mt19937 whose results are `unsigned`.
class Dice {
 public:
  using result_type = unsigned;
  explicit Dice(unsigned seed) : bits_(seed) {}
  static constexpr unsigned min() { return 0; }
  static constexpr unsigned max() { return UINT32_MAX; }
  unsigned operator()() { return static_cast<unsigned>(bits_()); }

 private:
  std::mt19937 bits_;
};

class FixedClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return now_ms.load(); }
  std::atomic<std::int64_t> now_ms{1'700'000'000'000};
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : bits_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override {
    const std::lock_guard lock(mutex_);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(bits_());
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 bits_;
};

class OpenPolicy final : public Policy {
 public:
  Result<void> may_subscribe(const Identity&, const Selector& selector) const override { return may(selector.base); }
  Result<void> may_publish(const Identity&, std::string_view channel) const override { return may(channel); }
  Result<void> may_read_history(const Identity&, std::string_view channel) const override { return may(channel); }
  Result<void> may_see_presence(const Identity&, std::string_view channel) const override { return may(channel); }

 private:
  static Result<void> may(std::string_view channel) {
    if (channel.starts_with("secret")) return Error{ErrorKind::kForbidden, "secret"};
    return {};
  }
};

// "channel epoch offset payload\n"; offset 0 where there is no position.
class LineEncoding final : public Encoding {
 public:
  void encode(const Publication& publication, std::string& out) const override {
    ++encoded;
    const Position position = publication.position.value_or(Position{});
    out += publication.channel + ' ' + std::to_string(position.epoch) + ' ' + std::to_string(position.offset) + ' ';
    out += publication.payload.view();
    out += '\n';
  }
  void encode_own(const Publication& publication, std::string& out) const override {
    const Position position = publication.position.value_or(Position{});
    out += publication.channel + ' ' + std::to_string(position.epoch) + ' ' + std::to_string(position.offset) + " own ";
    out += publication.payload.view();
    out += '\n';
  }
  // "channel +key:ref ... -key:ref ...\n" behind a `~`.
  void encode_presence(const PresenceUpdate& diff, std::string& out) const override {
    out += '~' + diff.channel;
    for (const PresenceEntry& entry : diff.changes.leaves) {
      for (const PresenceMeta& meta : entry.metas) out += " -" + entry.key + ':' + meta.ref;
    }
    for (const PresenceEntry& entry : diff.changes.joins) {
      for (const PresenceMeta& meta : entry.metas) out += " +" + entry.key + ':' + meta.ref;
    }
    out += '\n';
  }
  void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override {
    out += '#' + std::string(channel) + ' ' + std::to_string(counts.users) + ' ' + std::to_string(counts.members) + '\n';
  }
  mutable std::size_t encoded = 0;
};

struct Message {
  std::string channel;
  Position position;
  std::string payload;
};

// A client whose link takes what `link_takes` allows.
class FakeClient : public SessionClient, public Disposable {
 public:
  FakeClient(Shard& shard, const Encoding& encoding, IdentityPtr identity = nullptr)
      : session(shard, *this, {.protocol = "fake", .encoding = &encoding, .identity = std::move(identity)}) {}

  static constexpr std::size_t kAll = SIZE_MAX;
  std::size_t link_takes = kAll;  // Bytes the link takes from now on.
  bool answers_into_outbox = true;
  std::vector<std::string> story;  // Everything that reached the client, in order, answers too.
  std::vector<Message> messages;
  std::map<std::string, std::uint64_t> lost;
  std::vector<std::pair<Ticket, Result<Subscribed>>> subscribed;
  std::vector<std::pair<Ticket, Result<Receipt>>> published;
  std::vector<HistoryPage> pages;
  std::vector<EndReason> end_wanted;
  // Who is present by what this client was told: "key:ref", by channel. Absent: no state was told yet.
  std::map<std::string, std::set<std::string>> present;
  std::map<std::string, PresenceCounts> counts;  // Of crowded channels.
  std::vector<std::string> presence_faults;      // Joins of who is there, leaves of who is not, diffs before a state.
  std::vector<Result<PresenceStatePtr>> presence_answers;
  std::vector<Result<PresenceCounts>> count_answers;
  std::vector<std::string> unsubscribed;  // "channel reason", with "!" in front for a crash.
  // Called at the end of the callback of that name.
  std::function<void()> then_on_outbox, then_on_gap, then_on_published, then_on_subscribed, then_on_end_wanted;

  void subscribe(Selector selector, std::optional<std::vector<ChannelPosition>> recover = std::nullopt, Ticket ticket = 0) {
    session.subscribe({.selector = std::move(selector), .recover = std::move(recover), .ticket = ticket});
  }
  void hear(std::string channel) { subscribe({.kind = Selector::Kind::kExact, .base = std::move(channel)}); }
  void publish(std::string channel, std::string_view payload, Ticket ticket = 0) {
    session.publish(Draft{.channel = std::move(channel), .event = "e", .payload = Bytes::copy_of(payload)}, ticket);
  }
  void say(std::string text) {
    if (!answers_into_outbox) return;
    session.enqueue(Frame::make(session.shard().frame_memory(), "!" + text + "\n", {}));
  }
  std::vector<std::string> payloads() const {
    std::vector<std::string> all;
    for (const Message& message : messages) all.push_back(message.payload);
    return all;
  }
  std::uint64_t lost_total() const {
    std::uint64_t total = 0;
    for (const auto& [channel, count] : lost) total += count;
    return total;
  }
  // The link takes what it can, as a socket that became writable.
  void read(std::size_t bytes = kAll) {
    link_takes = bytes;
    session.on_room();
  }

  void on_outbox() override {
    while (!session.outbox().empty() && link_takes > 0) {
      std::string_view pieces[3];
      const std::size_t count = session.outbox().gather(pieces);
      std::size_t taken = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const std::string_view piece = pieces[i].substr(0, link_takes);
        wire_ += piece;
        taken += piece.size();
        if (link_takes != kAll) link_takes -= piece.size();
      }
      session.outbox().consume(taken);
    }
    take_lines();
    call(then_on_outbox);
  }
  void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) override {
    subscribed.emplace_back(ticket, outcome);
    say("subscribed " + std::to_string(ticket) + (outcome ? "" : std::string(" ") + error_kind_name(outcome.error().kind)));
    call(then_on_subscribed);
  }
  void on_published(Ticket ticket, const Result<Receipt>& outcome) override {
    published.emplace_back(ticket, outcome);
    say("published " + std::to_string(ticket) + (outcome ? "" : std::string(" ") + error_kind_name(outcome.error().kind)));
    call(then_on_published);
  }
  void on_history(Ticket, const Result<HistoryPage>& outcome) override {
    if (outcome) pages.push_back(*outcome);
    say(outcome ? "history" : "no history");
  }
  void on_gap(std::span<const Gap> gaps) override {
    for (const Gap& gap : gaps) lost[gap.channel] += gap.messages;
    say("gap");
    call(then_on_gap);
  }
  // "=channel +key:ref ...", behind what went before, as a protocol's answer would.
  void on_presence_state(const PresenceState& state) override {
    std::string text = '=' + state.channel;
    for (const PresenceEntry& entry : state.entries) {
      for (const PresenceMeta& meta : entry.metas) text += " +" + entry.key + ':' + meta.ref;
    }
    if (!state.named)
      text = '#' + state.channel + ' ' + std::to_string(state.counts.users) + ' ' + std::to_string(state.counts.members);
    session.enqueue(Frame::make(session.shard().frame_memory(), text + '\n', {}));
  }
  void on_presence(Ticket, const Result<PresenceStatePtr>& outcome) override { presence_answers.push_back(outcome); }
  void on_presence_counts(Ticket, const Result<PresenceCounts>& outcome) override { count_answers.push_back(outcome); }
  void on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) override {
    unsubscribed.push_back((crash ? "!" : "") + std::string(channel) + ' ' + std::string(reason));
  }
  void on_announcement(const Bytes& text) override { say("announced " + std::string(text.view())); }
  void on_end_wanted(EndReason reason, std::string_view text) override {
    end_wanted.push_back(reason);
    say("ending " + std::string(text));
    call(then_on_end_wanted);
  }
  std::string peer_text() const override { return "fake"; }

  std::function<void(const Message&)> on_message;
  Session session;

 private:
  // The function may replace itself.
  static void call(const std::function<void()>& function) {
    if (const std::function<void()> copy = function) copy();
  }

  void take_presence(const std::string& line) {
    std::istringstream words(line.substr(1));
    std::string channel, word;
    words >> channel;
    if (line[0] == '#') {
      PresenceCounts& told = counts[channel];
      words >> told.users >> told.members;
      present[channel].clear();
      return;
    }
    counts.erase(channel);
    if (line[0] == '=') present[channel].clear();
    if (!present.contains(channel)) presence_faults.push_back("before a state: " + line);
    std::set<std::string>& there = present[channel];
    while (words >> word) {
      const std::string who = word.substr(1);
      const bool changed = word[0] == '+' ? there.insert(who).second : there.erase(who) > 0;
      if (!changed) presence_faults.push_back(word + " in " + line);
    }
  }

  void take_lines() {
    for (std::size_t end; (end = wire_.find('\n')) != std::string::npos; wire_.erase(0, end + 1)) {
      const std::string line = wire_.substr(0, end);
      story.push_back(line);
      if (line[0] == '!') continue;
      if (line[0] == '=' || line[0] == '~' || line[0] == '#') {
        take_presence(line);
        continue;
      }
      Message message;
      const std::size_t a = line.find(' '), b = line.find(' ', a + 1), c = line.find(' ', b + 1);
      message.channel = line.substr(0, a);
      std::from_chars(line.data() + a + 1, line.data() + b, message.position.epoch);
      std::from_chars(line.data() + b + 1, line.data() + c, message.position.offset);
      message.payload = line.substr(c + 1);
      messages.push_back(message);
      if (on_message) on_message(message);
    }
  }

  std::string wire_;
};

// The memory engine, answering when told to, in any order. A page shows the time of the question or that of the answer.
class LateEngine final : public ForwardingEngine {
 public:
  LateEngine(Engine& engine, std::uint64_t seed) : ForwardingEngine(engine), random_(seed) {}

  void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) override {
    inner_.publish(std::move(draft), [this, done = std::move(done)](Result<Receipt> outcome) mutable {
      waiting_.push_back([done = std::move(done), outcome = std::move(outcome)]() mutable { done(std::move(outcome)); });
    });
  }
  void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) override {
    if (random_() % 2 == 0) {
      waiting_.push_back([this, query = std::move(query), done = std::move(done)]() mutable {
        inner_.history(std::move(query), std::move(done));
      });
    } else {
      inner_.history(std::move(query), [this, done = std::move(done)](Result<HistoryPage> page) mutable {
        waiting_.push_back([done = std::move(done), page = std::move(page)]() mutable { done(std::move(page)); });
      });
    }
  }
  void channels(std::string prefix, std::string after, std::size_t count_max,
                UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) override {
    waiting_.push_back([this, prefix, after, count_max, done = std::move(done)]() mutable {
      inner_.channels(prefix, after, count_max, std::move(done));
    });
  }

  PresenceStore& presence() override { return presence_; }

  bool idle() const { return waiting_.empty(); }
  // Gives one of the answers that wait; any.
  void answer_one() {
    if (waiting_.empty()) return;
    std::swap(waiting_[random_() % waiting_.size()], waiting_.back());
    Task answer = std::move(waiting_.back());
    waiting_.pop_back();
    answer();
  }

 private:
  class LatePresence final : public PresenceStore {
   public:
    explicit LatePresence(LateEngine& late) : late_(late), store_(late.inner_.presence()) {}
    void set_events(PresenceEvents& events) override { store_.set_events(events); }
    void change(std::string channel, std::vector<PresenceChange> changes) override {
      store_.change(std::move(channel), std::move(changes));
    }
    void crash(std::string channel, std::string reason) override { store_.crash(std::move(channel), std::move(reason)); }
    std::string name_of(std::string_view member) const override { return store_.name_of(member); }
    void state(std::string channel, UniqueFunction<void(Result<PresenceStatePtr>)> done) override {
      if (fail_states > 0) {
        --fail_states;
        return done(Error{ErrorKind::kUnavailable, "the store is away"});
      }
      store_.state(std::move(channel), [this, done = std::move(done)](Result<PresenceStatePtr> state) mutable {
        late_.waiting_.push_back([done = std::move(done), state = std::move(state)]() mutable { done(std::move(state)); });
      });
    }
    void counts(std::string channel, UniqueFunction<void(Result<PresenceCounts>)> done) override {
      store_.counts(std::move(channel), std::move(done));
    }
    void renew(std::int64_t lease_ms) override { store_.renew(lease_ms); }

    unsigned fail_states = 0;  // So many of the next questions fail.

   private:
    LateEngine& late_;
    PresenceStore& store_;
  };

  std::mt19937_64 random_;
  std::vector<Task> waiting_;
  LatePresence presence_{*this};

 public:
  void fail_states(unsigned count) { presence_.fail_states = count; }
};

// Members in the order of their lives: loops outlive the hub, which outlives the clients.
struct World {
  struct Options {
    unsigned loops = 2;
    HubOptions hub;
    MemoryEngineOptions engine;
    std::size_t history = 1000;
    bool late = false;
    std::uint64_t seed = 1;
  };

  World() : World(Options{}) {}
  explicit World(Options options)
      : random(options.seed),
        memory(clock, random, with_history(options)),
        late(memory, options.seed),
        engine(options.late ? static_cast<Engine&>(late) : memory) {
    for (unsigned i = 0; i < options.loops; ++i) loops.push_back(std::make_unique<ManualLoop>());
    encodings.resize(options.loops);
    hub = std::make_unique<Hub>(engine, clock, policy, options.hub);
    for (auto& loop : loops) shards.push_back(&hub->add_shard(*loop));
  }

  static MemoryEngineOptions with_history(const Options& options) {
    MemoryEngineOptions engine = options.engine;
    // What begins with "bare" keeps nothing.
    engine.rule_for = [count = options.history](std::string_view channel) {
      return HistoryRule{.count_max = channel.starts_with("bare") && !channel.ends_with("/kept") ? 0 : count};
    };
    return engine;
  }

  std::unique_ptr<FakeClient> client(unsigned loop = 0, IdentityPtr identity = nullptr) {
    return std::make_unique<FakeClient>(*shards[loop], encodings[loop], std::move(identity));
  }

  // Runs the function in a turn of that loop.
  void in(unsigned loop, std::function<void()> act) {
    loops[loop]->post([act = std::move(act)] { act(); });
    loops[loop]->turn();
  }
  // Until nothing happens any more, late answers included.
  void settle() {
    bool busy = true;
    while (busy) {
      if (!late.idle()) in(0, [this] { late.answer_one(); });
      for (auto& loop : loops) loop->turn();
      busy = !late.idle();
      for (auto& loop : loops) busy = busy || !loop->idle();
    }
  }
  // From outside all loops.
  void publish(std::string channel, std::string_view payload) {
    hub->publish(Draft{.channel = std::move(channel), .event = "e", .payload = Bytes::copy_of(payload)},
                 [](Result<Receipt>) {});
  }

  FixedClock clock;
  SeededRandom random;
  OpenPolicy policy;
  MemoryEngine memory;
  LateEngine late;
  Engine& engine;
  DurableSubscriptions durable{engine.state(), clock};
  std::vector<std::unique_ptr<ManualLoop>> loops;
  std::vector<LineEncoding> encodings;
  std::unique_ptr<Hub> hub;
  std::vector<Shard*> shards;
};

inline Selector exact(std::string base) {
  return {.kind = Selector::Kind::kExact, .base = std::move(base)};
}
inline Selector tree(std::string base) {
  return {.kind = Selector::Kind::kTree, .base = std::move(base)};
}
inline Selector children(std::string base) {
  return {.kind = Selector::Kind::kChildren, .base = std::move(base)};
}
inline Selector below(std::string base) {
  return {.kind = Selector::Kind::kBelow, .base = std::move(base)};
}

}  // namespace carillon
