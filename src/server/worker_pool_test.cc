#include "server/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>

namespace carillon {
namespace {

TEST(WorkerPool, RunsTasksSideBySide) {
  WorkerPool pool(3, 10);
  std::latch all_there(3);  // Nobody goes on before all three run.
  std::latch done(3);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pool.post([&] {
      all_there.arrive_and_wait();
      done.count_down();
    }));
  }
  done.wait();
}

TEST(WorkerPool, RefusesWhatMayNotWait) {
  WorkerPool pool(1, 2);
  std::latch started(1), go_on(1);
  std::atomic<int> ran{0};
  ASSERT_TRUE(pool.post([&] {
    started.count_down();
    go_on.wait();
  }));
  started.wait();
  EXPECT_TRUE(pool.post([&] { ++ran; }));
  EXPECT_TRUE(pool.post([&] { ++ran; }));
  EXPECT_FALSE(pool.post([&] { ++ran; }));
  std::latch last(1);
  go_on.count_down();
  while (!pool.post([&] { last.count_down(); })) std::this_thread::yield();
  last.wait();
  EXPECT_EQ(ran, 2);
}

TEST(WorkerPool, WhatWaitsAtTheStopIsDestroyedUnrun) {
  WorkerPool pool(1, 1'000'000'000);  // Never full: what refuses is the stop.
  std::latch started(1), go_on(1);
  const auto kept = std::make_shared<int>(1);
  std::atomic<int> ran{0};
  ASSERT_TRUE(pool.post([&] {
    started.count_down();
    go_on.wait();
  }));
  started.wait();
  ASSERT_TRUE(pool.post([&ran, kept] { ++ran; }));
  EXPECT_EQ(kept.use_count(), 2);
  std::thread stopping([&] { pool.stop(); });
  while (pool.post([] {})) std::this_thread::yield();
  go_on.count_down();
  stopping.join();
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(kept.use_count(), 1);
  EXPECT_FALSE(pool.post([] {}));
}

}  // namespace
}  // namespace carillon
