#include "os/epoll_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace carillon {
namespace {

// A loop on a thread of its own; stops at its end.
class EpollLoopTest : public ::testing::Test {
 protected:
  ~EpollLoopTest() override { stop(); }

  void run() {
    thread_ = std::thread([this] { loop->run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop->stop();
    thread_.join();
  }

  // Until a task stops the loop.
  void wait() { thread_.join(); }

  std::unique_ptr<EpollLoop> loop = *EpollLoop::create();

 private:
  std::thread thread_;
};

TEST_F(EpollLoopTest, TasksOfEachPosterRunInTheirOrder) {
  constexpr int kPosters = 4, kTasks = 5'000;
  int next[kPosters] = {};
  int done = 0;
  bool in_order = true, on_the_thread = true;
  run();
  std::vector<std::thread> posters;
  for (int poster = 0; poster < kPosters; ++poster) {
    posters.emplace_back([&, poster] {
      for (int i = 0; i < kTasks; ++i) {
        loop->post([&, poster, i] {
          in_order = in_order && next[poster]++ == i;
          on_the_thread = on_the_thread && loop->in_loop_thread();
          if (++done == kPosters * kTasks) loop->stop();
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  wait();
  EXPECT_TRUE(in_order);
  EXPECT_TRUE(on_the_thread);
  EXPECT_EQ(done, kPosters * kTasks);
  EXPECT_FALSE(loop->in_loop_thread());
}

TEST_F(EpollLoopTest, ATaskPostedByATaskRunsInALaterTurn) {
  std::uint64_t first = 0, second = 0;
  loop->post([&] {
    first = loop->turns();
    loop->post([&] {
      second = loop->turns();
      loop->stop();
    });
  });
  loop->run();
  EXPECT_EQ(second, first + 1);
}

TEST_F(EpollLoopTest, ATimerFiresInTimeAndNotBefore) {
  Millis began{0}, fired{0};
  CallbackTimer late([] { ADD_FAILURE() << "was cancelled"; });
  CallbackTimer timer([&] {
    fired = loop->now();
    late.cancel();
    loop->stop();
  });
  loop->post([&] {
    began = loop->now();
    loop->schedule(late, Millis{60});
    loop->schedule(timer, Millis{30});
  });
  loop->run();
  EXPECT_GE(fired - began, Millis{30});
}

// What the loop does in a turn does not come on top of what a timer waits.
TEST_F(EpollLoopTest, ALongTurnDoesNotPutOffTimers) {
  std::chrono::steady_clock::time_point began, fired;
  CallbackTimer timer([&] {
    fired = std::chrono::steady_clock::now();
    loop->stop();
  });
  loop->post([&] {
    began = std::chrono::steady_clock::now();
    loop->schedule(timer, Millis{400});
    while (std::chrono::steady_clock::now() - began < Millis{390}) continue;
  });
  loop->run();
  EXPECT_LT(fired - began, Millis{780});
}

TEST_F(EpollLoopTest, TurnsEndWithTheirHooksAndThenTheDisposedAreFreed) {
  std::string story;
  struct Closed final : Disposable {
    Closed(EpollLoop& loop, std::string& story, int left) : loop_(loop), story_(story), left_(left) {}
    ~Closed() override {
      story_ += "freed ";
      if (left_ > 0) loop_.dispose(std::make_unique<Closed>(loop_, story_, left_ - 1));
    }
    EpollLoop& loop_;
    std::string& story_;
    int left_;
  };
  struct Hook final : TurnEnd {
    explicit Hook(std::string& story) : story_(story) {}
    void on_turn_end() override { story_ += "end "; }
    std::string& story_;
  } first(story), second(story);
  loop->add_turn_end(first);
  loop->add_turn_end(second);
  loop->post([&] {
    loop->dispose(std::make_unique<Closed>(*loop, story, 2));
    loop->stop();
    story += "task ";
  });
  loop->run();
  EXPECT_EQ(story, "task end end freed freed freed ");
}

TEST_F(EpollLoopTest, WhatIsNotRunIsDestroyed) {
  const auto alive = std::make_shared<int>(1);
  loop->post([&] {
    loop->stop();
    loop->post([alive] { ADD_FAILURE() << "the loop has stopped"; });
  });
  loop->run();
  EXPECT_EQ(alive.use_count(), 1);
  loop->post([alive] { ADD_FAILURE() << "the loop has stopped"; });
  EXPECT_EQ(alive.use_count(), 1);
}

// Destroying a task may post another one: an exchange that nobody answers does.
TEST_F(EpollLoopTest, ALoopThatNeverRanDestroysItsTasks) {
  const auto alive = std::make_shared<int>(1);
  struct PostsAtItsEnd {
    PostsAtItsEnd(EpollLoop& posted_to, std::shared_ptr<int> kept) : loop(&posted_to), alive(std::move(kept)) {}
    PostsAtItsEnd(PostsAtItsEnd&& other) noexcept : loop(std::exchange(other.loop, nullptr)), alive(std::move(other.alive)) {}
    ~PostsAtItsEnd() {
      if (loop != nullptr) loop->post([kept = alive] {});
    }
    void operator()() {}
    EpollLoop* loop;
    std::shared_ptr<int> alive;
  };
  for (int i = 0; i < 10; ++i) loop->post(PostsAtItsEnd(*loop, alive));
  loop.reset();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(EpollLoopTest, StoppingFromElsewhereWakesASleepingLoop) {
  std::atomic<bool> running{false};
  loop->post([&] { running = true; });
  run();
  while (!running) std::this_thread::yield();
  stop();
  EXPECT_GE(loop->turns(), 1u);
}

}  // namespace
}  // namespace carillon
