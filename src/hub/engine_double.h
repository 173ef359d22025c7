// Hands everything on to another engine: what tests derive from to change one thing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hub/engine.h"

namespace carillon {

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
