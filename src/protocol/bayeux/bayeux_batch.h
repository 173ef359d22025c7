// BayeuxBatch: the replies to one request's messages, in the messages' order; it answers when all are there. One loop.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_function.h"

namespace carillon {

class BayeuxBatch {
 public:
  // `first`: so many of the replies go ahead of any delivery.
  using Answer = UniqueFunction<void(std::vector<std::string> replies, std::size_t first)>;
  explicit BayeuxBatch(Answer answer) : answer_(std::move(answer)) {}

  // A place for one more reply.
  std::size_t add() {
    replies_.emplace_back();
    ++open_;
    return replies_.size() - 1;
  }
  // Once for each place.
  void fill(std::size_t place, std::string reply) {
    replies_[place] = std::move(reply);
    --open_;
    finish();
  }
  // The reply at this place goes ahead of what is delivered to its client, and so do those before it.
  void lead_with(std::size_t place) { first_ = std::max(first_, place + 1); }
  void append(std::string reply) { fill(add(), std::move(reply)); }
  bool sealed() const { return sealed_; }
  // No more places come.
  void seal() {
    sealed_ = true;
    finish();
  }

 private:
  void finish() {
    if (sealed_ && open_ == 0 && answer_) std::exchange(answer_, {})(std::move(replies_), first_);
  }

  Answer answer_;
  std::vector<std::string> replies_;
  std::size_t open_ = 0;
  std::size_t first_ = 0;
  bool sealed_ = false;
};
using BayeuxBatchPtr = std::shared_ptr<BayeuxBatch>;

}  // namespace carillon
