// WorkerPool: threads for work that may wait, which loops must not do. Any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/unique_function.h"

namespace carillon {

class WorkerPool {
 public:
  // Tasks that wait for a thread; beyond it they are refused.
  WorkerPool(std::size_t threads, std::size_t waiting_max);
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False: too many wait, or the pool has stopped; the task is destroyed unrun.
  bool post(Task task);
  // Waits for what runs; what waits is destroyed unrun. Not on one of its own threads. Idempotent.
  void stop();

 private:
  void run();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;  // Under mutex_.
  std::size_t idle_ = 0;      // Likewise: threads that wait for a task.
  bool stopped_ = false;      // Likewise.
  std::vector<std::thread> threads_;
};

}  // namespace carillon
