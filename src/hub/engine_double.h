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
class HeardEvents final : public EngineEvents {
 public:
  void on_publication(const PublicationPtr& publication) override {
    const std::lock_guard lock(mutex_);
    by_channel[publication->channel].push_back(publication);
  }
  std::map<std::string, std::vector<PublicationPtr>> by_channel;

 private:
  std::mutex mutex_;
};

// Hands everything on to another engine: what tests derive from to change one thing.
class ForwardingEngine : public Engine {
 public:
  explicit ForwardingEngine(Engine& inner) : inner_(inner) {}

  void set_events(EngineEvents& events) override { inner_.set_events(events); }
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

 protected:
  Engine& inner_;
};

}  // namespace carillon
