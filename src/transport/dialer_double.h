// A dialer for tests: each connection that it opens ends at a PeerDouble, which says what the other program does. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/dialer.h"
#include "base/loop.h"
#include "transport/edge_double.h"

namespace carillon {

class DialerDouble final : public Dialer {
 public:
  explicit DialerDouble(Loop& loop) : loop_(loop) {}

  enum class Mood { kAnswers, kRefuses, kIsSilent };
  Mood mood = Mood::kAnswers;
  std::vector<std::string> asked;                  // "host:port", each time.
  std::vector<std::shared_ptr<PeerDouble>> peers;  // Of the connections that were opened.
  std::size_t takes = PeerDouble::kAll;            // Of what is written, by each that is opened from now on.
  int given_up = 0;                                // Attempts that were ended before they had called.

  PeerDouble& peer() { return *peers.back(); }

  std::unique_ptr<DialAttempt> dial(const DialTarget& target, Millis timeout, Dialed done) override {
    asked.push_back(target.host + ':' + std::to_string(target.port));
    auto attempt = std::make_unique<Attempt>(*this, std::move(done));
    if (mood == Mood::kIsSilent) {
      loop_.schedule(*attempt, timeout);
    } else {
      loop_.schedule(*attempt, Millis{0});
    }
    return attempt;
  }

 private:
  class Attempt final : public DialAttempt, public Timer {
   public:
    Attempt(DialerDouble& owner, Dialed done) : owner_(owner), done_(std::move(done)) {}
    ~Attempt() override {
      CHECK(!calling_);
      if (armed()) ++owner_.given_up;
    }

   private:
    void on_timer() override {
      calling_ = true;
      if (owner_.mood == Mood::kAnswers) {
        owner_.peers.push_back(std::make_shared<PeerDouble>());
        owner_.peer().takes = owner_.takes;
        done_(std::unique_ptr<Stream>(std::make_unique<StreamDouble>(owner_.peers.back())));
      } else {
        done_(Error{ErrorKind::kUnavailable, "nobody is there"});
      }
      calling_ = false;
    }

    DialerDouble& owner_;
    Dialed done_;
    bool calling_ = false;
  };

  Loop& loop_;
};

}  // namespace carillon
