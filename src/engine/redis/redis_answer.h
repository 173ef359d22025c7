// RedisAnswer: a completion that is called exactly once, whatever happens to what waits for it: one that is destroyed uncalled
// hears kUnavailable. Any thread, one at a time.
#pragma once

#include <utility>

#include "base/unique_function.h"
#include "carillon/result.h"

namespace carillon {

template <class T>
class RedisAnswer {
 public:
  RedisAnswer(UniqueFunction<void(Result<T>)> done) : done_(std::move(done)) {}
  RedisAnswer(RedisAnswer&&) noexcept = default;
  RedisAnswer& operator=(RedisAnswer&&) = delete;
  ~RedisAnswer() {
    if (done_) done_(Error{ErrorKind::kUnavailable, "the server is stopping"});
  }

  void operator()(Result<T> outcome) {
    UniqueFunction<void(Result<T>)> done = std::move(done_);
    done(std::move(outcome));
  }

 private:
  UniqueFunction<void(Result<T>)> done_;
};

}  // namespace carillon
