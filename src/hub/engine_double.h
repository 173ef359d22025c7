// For tests of engines and of who uses them.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "hub/engine.h"

namespace carillon {

// Keeps all that it hears, by channel.
class HeardEvents : public EngineEvents {
 public:
  virtual ~HeardEvents() = default;
  void on_publication(const PublicationPtr& publication) override {
    const std::lock_guard lock(mutex_);
    by_channel[publication->channel].push_back(publication);
  }
  void on_gap(const std::string& channel, std::uint64_t count) override {
    const std::lock_guard lock(mutex_);
    gaps.emplace_back(channel, count);
  }
  void on_continuity(Continuity continuity) override {
    const std::lock_guard lock(mutex_);
    continuities.push_back(continuity);
  }
  std::map<std::string, std::vector<PublicationPtr>> by_channel;
  std::vector<std::pair<std::string, std::uint64_t>> gaps;
  std::vector<Continuity> continuities;

 protected:
  std::mutex mutex_;
};

// Hands everything on to another engine: what tests derive from to change one thing.
class ForwardingEngine : public Engine {
 public:
  explicit ForwardingEngine(Engine& inner) : inner_(inner) {}

  void set_events(EngineEvents& events) override { inner_.set_events(events); }
  bool wants_interest() const override { return inner_.wants_interest(); }
  void add_interest(const Selector& selector) override { inner_.add_interest(selector); }
  void remove_interest(const Selector& selector) override { inner_.remove_interest(selector); }
  void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) override {
    inner_.publish(std::move(draft), std::move(done));
  }
  void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) override {
    inner_.history(std::move(query), std::move(done));
  }
  void publications(std::string channel, std::vector<Uuid> ids,
                    UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) override {
    inner_.publications(std::move(channel), std::move(ids), std::move(done));
  }
  void remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) override {
    inner_.remove_history(std::move(channel), std::move(done));
  }
  void channels(std::string prefix, std::string after, std::size_t count_max,
                UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) override {
    inner_.channels(std::move(prefix), std::move(after), count_max, std::move(done));
  }
  PresenceStore& presence() override { return inner_.presence(); }
  StateStore& state() override { return inner_.state(); }
  GroupStore* groups() override { return inner_.groups(); }
  NodeDirectory* nodes() override { return inner_.nodes(); }

 protected:
  Engine& inner_;
};

}  // namespace carillon
