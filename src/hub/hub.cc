#include "hub/hub.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "base/utf8.h"
#include "hub/channel_name.h"
#include "hub/shard.h"

namespace carillon {
namespace {

constexpr std::size_t kEventBytesMax = 255;

// Asks every shard on its own loop and hands what they answered to `done` on `loop`.
template <class Answer>
void ask_all(const std::vector<std::unique_ptr<Shard>>& shards, Loop& loop, std::function<Answer(Shard&)> ask,
             UniqueFunction<void(std::vector<Answer>)> done) {
  struct Gathering {
    std::mutex mutex;
    std::vector<Answer> answers;
    std::size_t missing;
    UniqueFunction<void(std::vector<Answer>)> done;
  };
  if (shards.empty()) return loop.post([done = std::move(done)]() mutable { done({}); });
  auto gathering = std::make_shared<Gathering>();
  gathering->missing = shards.size();
  gathering->done = std::move(done);
  for (const auto& shard : shards) {
    shard->loop().post([&shard = *shard, &loop, ask, gathering] {
      Answer answer = ask(shard);
      const std::lock_guard lock(gathering->mutex);
      gathering->answers.push_back(std::move(answer));
      if (--gathering->missing > 0) return;
      loop.post([gathering] { gathering->done(std::move(gathering->answers)); });
    });
  }
}

}  // namespace

Result<void> check_draft(const Draft& draft) {
  if (Result<void> named = check_channel_name(draft.channel); !named) return named;
  const bool control = std::any_of(draft.event.begin(), draft.event.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (draft.event.empty() || draft.event.size() > kEventBytesMax || control || !is_utf8(draft.event)) {
    return Error{ErrorKind::kInvalid, "invalid event: a name is 1 to 255 bytes of UTF-8 without control characters"};
  }
  return {};
}

Hub::Hub(Engine& engine, const Clock& clock, const Policy& policy, const HubOptions& options)
    : engine_(engine), clock_(clock), policy_(policy), options_(options), wants_interest_(engine.wants_interest()) {
  engine_.set_events(*this);
  engine_.presence().set_events(*this);
}

Hub::~Hub() {
  close_listeners();
}

void Hub::close_listeners() {
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& weak : listeners_) {
    if (const auto listener = weak.lock()) listener->close();
  }
}

Shard& Hub::add_shard(Loop& loop) {
  CHECK(shards_.size() < Interest::kLoopsMax);
  if (NodeDirectory* const nodes = engine_.nodes(); nodes != nullptr && calls_ == nullptr) {
    calls_ = std::make_unique<NodeCalls>(*this, loop, *nodes);
  }
  groups_.add_home(loop);  // What it delivers at a turn's end leaves with the shard's flush.
  shards_.push_back(std::make_unique<Shard>(*this, loop, static_cast<unsigned>(shards_.size())));
  return *shards_.back();
}

void Hub::publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) {
  if (Result<void> checked = check_draft(draft); !checked) return done(checked.error());
  publications_total_.fetch_add(1, std::memory_order_relaxed);
  engine_.publish(std::move(draft), std::move(done));
}

void Hub::history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) {
  engine_.history(std::move(query), std::move(done));
}

void Hub::remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) {
  engine_.remove_history(std::move(channel), std::move(done));
}

void Hub::on_publication(const PublicationPtr& publication) {
  if (!publication->is_private()) groups_.on_publication(*publication);
  if (shards_.size() == 1) {
    shards_.front()->push(publication);
  } else {
    std::uint64_t loops = interest_.loops_hearing(publication->channel);
    for (; loops != 0; loops &= loops - 1) shards_[static_cast<std::size_t>(__builtin_ctzll(loops))]->push(publication);
  }
  if (listener_count_.load(std::memory_order_acquire) == 0) return;
  const std::lock_guard lock(listeners_mutex_);
  std::erase_if(listeners_, [&](const std::weak_ptr<Listener>& weak) {
    const auto listener = weak.lock();
    if (listener != nullptr) listener->push(publication);
    return listener == nullptr;
  });
  listener_count_.store(listeners_.size(), std::memory_order_release);
  if (listeners_.empty() && listening_) shards_.front()->loop().post([this] { forget_listeners(); });
}

void Hub::forget_listeners() {
  const std::lock_guard lock(listeners_mutex_);
  if (listeners_.empty() && std::exchange(listening_, false)) remove_interest({.kind = Selector::Kind::kTree, .base = {}});
}

void Hub::on_gap(const std::string& channel, std::uint64_t count) {
  groups_.look_again(channel);
  std::uint64_t loops = interest_.loops_hearing(channel);
  for (; loops != 0; loops &= loops - 1) {
    Shard& shard = *shards_[static_cast<std::size_t>(__builtin_ctzll(loops))];
    shard.loop().post([&shard, channel, count] { shard.tell_gap(channel, count); });
  }
}

void Hub::on_continuity(Continuity continuity) {
  continuity_.store(continuity, std::memory_order_relaxed);
  if (continuity != Continuity::kDegraded) groups_.look_again({});
  for (const auto& shard : shards_) shard->loop().post([&shard = *shard, continuity] { shard.tell_continuity(continuity); });
}

void Hub::on_presence(const PresenceUpdatePtr& diff) {
  std::uint64_t loops = interest_.loops_hearing(diff->channel);
  for (; loops != 0; loops &= loops - 1) shards_[static_cast<std::size_t>(__builtin_ctzll(loops))]->push(diff);
}

void Hub::presence(std::string channel, UniqueFunction<void(Result<PresenceStatePtr>)> done) {
  engine_.presence().state(std::move(channel), std::move(done));
}

void Hub::presence_counts(std::string channel, UniqueFunction<void(Result<PresenceCounts>)> done) {
  engine_.presence().counts(std::move(channel), std::move(done));
}

// What the other nodes did, and this one.
UniqueFunction<void(std::size_t)> Hub::with_others(const NodeCalls::Call& call, Loop& loop,
                                                   UniqueFunction<void(std::size_t)> done) {
  if (calls_ == nullptr) return done;
  struct Sum {
    std::size_t parts = 0, count = 0;
    UniqueFunction<void(std::size_t)> done;
    void add(std::size_t some) {
      count += some;
      if (++parts == 2) done(count);
    }
  };
  auto sum = std::make_shared<Sum>();
  sum->done = std::move(done);
  calls_->ask(call, loop, [sum](std::size_t count) { sum->add(count); });
  return [sum](std::size_t count) { sum->add(count); };
}

void Hub::close_channel(Loop& loop, CloseChannel close, UniqueFunction<void(std::size_t)> done) {
  done = with_others({"close_channel", close.channel, close.reason, close.crash ? "crash" : ""}, loop, std::move(done));
  close_channel_here(loop, std::move(close), std::move(done));
}

void Hub::close_channel_here(Loop& loop, CloseChannel close, UniqueFunction<void(std::size_t)> done) {
  if (close.crash) engine_.presence().crash(close.channel, close.reason);
  const auto shared = std::make_shared<const CloseChannel>(std::move(close));
  const auto ask = [shared](Shard& shard) { return shard.close_channel(shared->channel, shared->reason, shared->crash); };
  ask_all<std::size_t>(shards_, loop, ask, [done = std::move(done)](std::vector<std::size_t> closed) mutable {
    done(std::accumulate(closed.begin(), closed.end(), std::size_t{0}));
  });
}

std::shared_ptr<Listener> Hub::listen(std::size_t capacity) {
  auto listener = std::make_shared<Listener>(std::max<std::size_t>(capacity, 1));
  const std::lock_guard lock(listeners_mutex_);
  listeners_.push_back(listener);
  if (!std::exchange(listening_, true)) add_interest({.kind = Selector::Kind::kTree, .base = {}});
  listener_count_.store(listeners_.size(), std::memory_order_release);
  return listener;
}

void Hub::announce(Bytes text) {
  if (calls_ != nullptr) calls_->tell({"announce", std::string(text.view())});
  announce_here(text);
}

void Hub::announce_here(const Bytes& text) {
  for (const auto& shard : shards_) {
    shard->loop().post([&shard = *shard, text] {
      for (std::size_t slot = 0; slot < shard.sessions_.size(); ++slot) {
        Session* const session = shard.sessions_[slot];
        if (session != nullptr && !session->ended_) session->client_.on_announcement(text);
      }
    });
  }
}

void Hub::list_sessions(Loop& loop, SessionId after, std::size_t count_max,
                        UniqueFunction<void(std::vector<SessionInfo>)> done) {
  using Infos = std::vector<SessionInfo>;
  // Only those on the page are described: that costs more than looking at an id.
  const auto ask = [after, count_max](Shard& shard) {
    std::vector<const Session*> page;
    for (const Session* const session : shard.sessions_) {
      if (session != nullptr && session->id_ > after) page.push_back(session);
    }
    const std::size_t count = std::min(page.size(), count_max);
    std::partial_sort(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(count), page.end(),
                      [](const Session* a, const Session* b) { return a->id_ < b->id_; });
    Infos infos;
    for (std::size_t i = 0; i < count; ++i) infos.push_back(shard.describe(*page[i]));
    return infos;
  };
  ask_all<Infos>(shards_, loop, ask, [count_max, done = std::move(done)](std::vector<Infos> answers) mutable {
    Infos all;
    for (Infos& infos : answers) std::move(infos.begin(), infos.end(), std::back_inserter(all));
    std::sort(all.begin(), all.end(), [](const SessionInfo& a, const SessionInfo& b) { return a.id < b.id; });
    if (all.size() > count_max) all.resize(count_max);
    done(std::move(all));
  });
}

void Hub::disconnect(Loop& loop, SessionId session, std::string text, UniqueFunction<void(bool)> done) {
  const std::size_t index = session >> 56;
  if (index >= shards_.size()) return loop.post([done = std::move(done)]() mutable { done(false); });
  shards_[index]->loop().post(
      [&shard = *shards_[index], &loop, session, text = std::move(text), done = std::move(done)]() mutable {
        Session* const found = shard.find_session(session);
        if (found != nullptr) found->client_.on_end_wanted(EndReason::kDisconnected, text);
        loop.post([done = std::move(done), was_there = found != nullptr]() mutable { done(was_there); });
      });
}

void Hub::disconnect_user(Loop& loop, std::string user, std::string text, UniqueFunction<void(std::size_t)> done) {
  done = with_others({"disconnect_user", user, text}, loop, std::move(done));
  disconnect_user_here(loop, std::move(user), std::move(text), std::move(done));
}

// Clients may end themselves and each other as they are told, which only empties places.
void Hub::disconnect_user_here(Loop& loop, std::string user, std::string text, UniqueFunction<void(std::size_t)> done) {
  const auto ask = [user = std::move(user), text = std::move(text)](Shard& shard) {
    std::size_t count = 0;
    for (std::size_t slot = 0; slot < shard.sessions_.size(); ++slot) {
      Session* const session = shard.sessions_[slot];
      if (session == nullptr || session->ended_ || session->identity().user != user) continue;
      session->client_.on_end_wanted(EndReason::kDisconnected, text);
      ++count;
    }
    return count;
  };
  ask_all<std::size_t>(shards_, loop, ask, [done = std::move(done)](std::vector<std::size_t> counts) mutable {
    done(std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
  });
}

void Hub::list_channels(Loop& loop, std::string prefix, std::string after, std::size_t count_max,
                        UniqueFunction<void(Result<std::vector<ChannelInfo>>)> done) {
  using Counts = std::map<std::string, std::uint64_t>;
  const auto ask = [prefix, after, count_max](Shard& shard) {
    std::vector<const Audience*> page;
    shard.audiences_.for_each([&](const std::unique_ptr<Audience>& audience) {
      const Selector& selector = audience->selector;
      const bool named = selector.kind == Selector::Kind::kExact || selector.kind == Selector::Kind::kTree;
      if (named && selector.base > after && selector.base.starts_with(prefix)) page.push_back(audience.get());
    });
    // A name may be there twice, once a kind: twice as many are `count_max` names at least.
    const std::size_t count = std::min(page.size(), count_max > page.size() ? page.size() : 2 * count_max);
    std::partial_sort(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(count), page.end(),
                      [](const Audience* a, const Audience* b) { return a->selector.base < b->selector.base; });
    Counts counts;
    for (std::size_t i = 0; i < count; ++i) counts[page[i]->selector.base] += page[i]->members.size();
    return counts;
  };
  auto finish = [this, &loop, prefix, after, count_max, done = std::move(done)](std::vector<Counts> answers) mutable {
    engine_.channels(prefix, after, count_max,
                     [&loop, count_max, answers = std::move(answers),
                      done = std::move(done)](Result<std::vector<ChannelRecord>> records) mutable {
                       auto merge = [count_max, answers = std::move(answers), records = std::move(records),
                                     done = std::move(done)]() mutable {
                         if (!records) return done(records.error());
                         std::map<std::string, ChannelInfo> merged;
                         for (ChannelRecord& record : *records) merged[record.name].record = std::move(record);
                         for (const Counts& counts : answers) {
                           for (const auto& [name, count] : counts) {
                             if (name.empty()) continue;
                             merged[name].record.name = name;
                             merged[name].subscribers += count;
                           }
                         }
                         std::vector<ChannelInfo> infos;
                         for (auto& [name, info] : merged) {
                           if (infos.size() < count_max) infos.push_back(std::move(info));
                         }
                         done(std::move(infos));
                       };
                       loop.post(std::move(merge));
                     });
  };
  ask_all<Counts>(shards_, loop, ask, std::move(finish));
}

HubStats Hub::stats() const {
  HubStats stats;
  stats.publications_total = publications_total_.load(std::memory_order_relaxed);
  for (const auto& shard : shards_) {
    const Shard::Counters& counters = shard->counters_;
    stats.sessions += counters.sessions.get();
    stats.subscriptions += counters.subscriptions.get();
    stats.connections_total += counters.connections_total.get();
    stats.subscriptions_total += counters.subscriptions_total.get();
    stats.deliveries_total += counters.deliveries_total.get();
    stats.dropped_total += counters.dropped_total.get();
    stats.slow_closed_total += counters.slow_closed_total.get();
    stats.outbox_bytes += counters.outbox_bytes.get();
    stats.presence_news_total += counters.presence_news_total.get();
    stats.presence_states_total += counters.presence_states_total.get();
  }
  return stats;
}

}  // namespace carillon
