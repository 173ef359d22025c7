// RedisInbox: what any thread wants done on the engine's loop, in the order of the calls, and with one task posted for all that
// comes before the loop has taken it. What was put into it and is not run is destroyed, so that the answers in it are given.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/loop.h"

namespace carillon {

class RedisInbox {
 public:
  explicit RedisInbox(Loop& loop);
  ~RedisInbox() { close(); }
  RedisInbox(const RedisInbox&) = delete;
  RedisInbox& operator=(const RedisInbox&) = delete;

  // Any thread.
  void put(Task task);
  // On the loop. Nothing is run any more.
  void close();

 private:
  struct Shared {
    std::mutex mutex;
    std::vector<Task> waiting;  // Under the mutex, as the next.
    bool open = true;
  };
  static void run(Shared& shared);

  Loop& loop_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace carillon
