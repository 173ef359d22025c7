#include "engine/redis/redis_inbox.h"

#include <utility>

namespace carillon {

RedisInbox::RedisInbox(Loop& loop) : loop_(loop), shared_(std::make_shared<Shared>()) {}

void RedisInbox::put(Task task) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->open) return;
    shared_->waiting.push_back(std::move(task));
    if (shared_->waiting.size() > 1) return;
  }
  loop_.post([shared = shared_] { run(*shared); });
}

// A task may close the inbox.
void RedisInbox::run(Shared& shared) {
  std::vector<Task> taken;
  {
    const std::lock_guard lock(shared.mutex);
    taken.swap(shared.waiting);
  }
  for (Task& task : taken) {
    {
      const std::lock_guard lock(shared.mutex);
      if (!shared.open) return;
    }
    task();
  }
}

void RedisInbox::close() {
  std::vector<Task> dropped;  // Ends without the lock: answers are given then.
  const std::lock_guard lock(shared_->mutex);
  shared_->open = false;
  dropped.swap(shared_->waiting);
}

}  // namespace carillon
