// BayeuxAck: the acknowledge extension for one session: what was sent stays until the client says that it has come.
//
// 1. Each answer to a connect closes a batch and carries its number, which grows by one. 2. What an answer carries is kept
// under its batch. 3. A connect says which batch came last: what is kept up to it is forgotten, the rest is sent again, ahead
// of what is new. So nothing is lost or overtaken while the session lives, whatever connection and transport it uses.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "hub/frame.h"

namespace carillon {

class BayeuxAck {
 public:
  // Everything up to this batch has come.
  void acknowledge(std::uint64_t batch);
  // Sent, and not known to have come.
  bool empty() const { return kept_.empty(); }
  std::size_t bytes() const { return bytes_; }

  // An answer is made now: it has the next number, and carries all that is kept, oldest first.
  void begin_batch() { ++batch_; }
  std::uint64_t batch() const { return batch_; }
  void append_kept(std::string& out) const;
  // Goes with that answer.
  void keep(FramePtr frame);
  template <class Visit>
  bool any_of(Visit visit) const {
    for (const Kept& kept : kept_) {
      if (visit(*kept.frame)) return true;
    }
    return false;
  }

 private:
  struct Kept {
    std::uint64_t batch;
    FramePtr frame;
  };
  std::deque<Kept> kept_;
  std::size_t bytes_ = 0;
  std::uint64_t batch_ = 0;
};

}  // namespace carillon
