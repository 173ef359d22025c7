#include "server/worker_pool.h"

#include <utility>

namespace carillon {

WorkerPool::WorkerPool(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

bool WorkerPool::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || waiting_.size() >= waiting_max_ + idle_) return false;
    waiting_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    --idle_;
    if (stopped_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    task();
    task = {};
    lock.lock();
  }
}

void WorkerPool::stop() {
  std::deque<Task> unrun;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    unrun.swap(waiting_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace carillon
