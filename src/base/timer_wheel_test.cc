#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace carillon {
namespace {

Millis ceil_to_tick(Millis at) {
  return Millis((at.count() + TimerWheel::kTick.count() - 1) / TimerWheel::kTick.count() * TimerWheel::kTick.count());
}

TEST(TimerWheel, NeverFiresEarlyAndFiresWithinATick) {
  TimerWheel wheel(Millis{1003});
  int fired = 0;
  CallbackTimer timer([&] { ++fired; });
  wheel.schedule(timer, Millis{1003}, Millis{50});
  EXPECT_TRUE(timer.armed());
  wheel.advance(Millis{1052});
  EXPECT_EQ(fired, 0);
  wheel.advance(ceil_to_tick(Millis{1053}));
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerWheel, AZeroDelayFiresInALaterAdvanceNotInside) {
  TimerWheel wheel(Millis{0});
  int fired = 0;
  CallbackTimer timer([&] { ++fired; });
  wheel.schedule(timer, Millis{0}, Millis{0});
  EXPECT_EQ(fired, 0);
  wheel.advance(Millis{0});
  EXPECT_EQ(fired, 0);
  wheel.advance(TimerWheel::kTick);
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, ANegativeDelayCountsAsNone) {
  TimerWheel wheel(Millis{0});
  int fired = 0;
  CallbackTimer timer([&] { ++fired; });
  wheel.schedule(timer, Millis{0}, Millis{-5});
  wheel.advance(TimerWheel::kTick);
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, DeadlinesOnEveryLevelAndTheirBoundariesAreMet) {
  for (const std::int64_t start : {1LL, 65535LL * 8 + 3, (1LL << 24) * 8 - 1}) {
    for (const std::int64_t ticks : {1LL, 255LL, 256LL, 257LL, 511LL, 65535LL, 65536LL, 65537LL, (1LL << 24) + 300}) {
      const Millis now{start};
      TimerWheel wheel(now);
      int fired = 0;
      CallbackTimer timer([&] { ++fired; });
      const Millis delay = ticks * TimerWheel::kTick;
      wheel.schedule(timer, now, delay);
      wheel.advance(now + delay - Millis{1});
      ASSERT_EQ(fired, 0) << start << " " << ticks;
      wheel.advance(ceil_to_tick(now + delay));
      ASSERT_EQ(fired, 1) << start << " " << ticks;
    }
  }
}

TEST(TimerWheel, AWaitBeyondTheLongestIsCutToIt) {
  TimerWheel wheel(Millis{0});
  CallbackTimer timer([] {});
  wheel.schedule(timer, Millis{0}, TimerWheel::kLongest * 4);
  EXPECT_GT(wheel.until_next(Millis{0}), Millis{0});
  EXPECT_LE(wheel.until_next(Millis{0}), TimerWheel::kLongest);
}

TEST(TimerWheel, ACallbackMayCancelTimersThatAreDueInTheSameTick) {
  TimerWheel wheel(Millis{0});
  int fired = 0;
  std::vector<std::unique_ptr<CallbackTimer>> timers;
  for (int i = 0; i < 3; ++i) {
    timers.push_back(std::make_unique<CallbackTimer>([&] {
      ++fired;
      for (auto& other : timers) other->cancel();
    }));
    wheel.schedule(*timers.back(), Millis{0}, Millis{20});
  }
  wheel.advance(Millis{100});
  EXPECT_EQ(fired, 1);
  EXPECT_LT(wheel.until_next(Millis{3000}), Millis{0});
}

TEST(TimerWheel, ATimerMayDestroyItselfAndItsNeighbour) {
  struct Doomed : Timer {
    std::vector<std::unique_ptr<Doomed>>& all;
    int& fired;
    Doomed(std::vector<std::unique_ptr<Doomed>>& every, int& count) : all(every), fired(count) {}
    void on_timer() override {
      ++fired;
      all.clear();
    }
  };
  TimerWheel wheel(Millis{0});
  int fired = 0;
  std::vector<std::unique_ptr<Doomed>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<Doomed>(all, fired));
    wheel.schedule(*all.back(), Millis{0}, Millis{8});
  }
  wheel.advance(Millis{80});
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, ATimerThatArmsItselfFiresOncePerSpan) {
  TimerWheel wheel(Millis{0});
  Millis now{0};
  int fired = 0;
  std::unique_ptr<CallbackTimer> timer;
  timer = std::make_unique<CallbackTimer>([&] {
    ++fired;
    wheel.schedule(*timer, now, Millis{0});
  });
  wheel.schedule(*timer, now, Millis{0});
  for (int i = 1; i <= 10; ++i) {
    now = i * TimerWheel::kTick;
    wheel.advance(now);
  }
  EXPECT_EQ(fired, 10);
}

TEST(TimerWheel, ATimerOutlivesItsWheelUnarmed) {
  CallbackTimer timer([] {});
  {
    TimerWheel wheel(Millis{0});
    wheel.schedule(timer, Millis{0}, Millis{1000});
  }
  EXPECT_FALSE(timer.armed());
}

TEST(TimerWheel, ABigJumpFiresEverythingDueAndKeepsTheRest) {
  TimerWheel wheel(Millis{0});
  std::vector<int> fired;
  CallbackTimer soon([&] { fired.push_back(1); });
  CallbackTimer later([&] { fired.push_back(2); });
  CallbackTimer last([&] { fired.push_back(3); });
  wheel.schedule(last, Millis{0}, std::chrono::hours{3});
  wheel.schedule(later, Millis{0}, std::chrono::minutes{50});
  wheel.schedule(soon, Millis{0}, Millis{100});
  wheel.advance(std::chrono::hours{1});
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  // Following until_next leads to the last deadline, never beyond it.
  Millis now = std::chrono::hours{1};
  for (int steps = 0; fired.size() < 3; ++steps) {
    ASSERT_LT(steps, 20'000);
    const Millis wait = wheel.until_next(now);
    ASSERT_GE(wait, Millis{0});
    now += std::max(wait, Millis{1});
    ASSERT_LE(now, std::chrono::hours{3} + TimerWheel::kTick);
    wheel.advance(now);
  }
  EXPECT_GE(now, std::chrono::hours{3});
  EXPECT_LT(wheel.until_next(now), Millis{0});
}

TEST(TimerWheel, AJumpWithNothingArmedCostsNothingAndLosesNoTime) {
  TimerWheel wheel(Millis{0});
  wheel.advance(std::chrono::hours{24 * 365});
  int fired = 0;
  CallbackTimer timer([&] { ++fired; });
  const Millis now = std::chrono::hours{24 * 365};
  wheel.schedule(timer, now, Millis{8});
  wheel.advance(now + Millis{16});
  EXPECT_EQ(fired, 1);
}

// Against a sorted list: every timer fires in the advance that first reaches its tick, in the order of the ticks.
TEST(TimerWheel, BehavesAsASortedListWhateverIsDone) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    Millis now{static_cast<std::int64_t>(random() % 100'000'000)};
    TimerWheel wheel(now);
    constexpr int kTimers = 60;
    std::vector<std::unique_ptr<CallbackTimer>> timers;
    std::map<int, Millis> due;  // By the model.
    std::vector<std::pair<int, Millis>> fired;
    for (int i = 0; i < kTimers; ++i) {
      timers.push_back(std::make_unique<CallbackTimer>([&fired, &now, i] { fired.emplace_back(i, now); }));
    }
    for (int step = 0; step < 400; ++step) {
      const int which = static_cast<int>(random() % kTimers);
      switch (random() % 4) {
        case 0:
        case 1: {
          const Millis delay{static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 22)))};
          wheel.schedule(*timers[which], now, delay);
          due[which] = std::max(ceil_to_tick(now + delay), now - now % TimerWheel::kTick + TimerWheel::kTick);
          break;
        }
        case 2:
          timers[which]->cancel();
          due.erase(which);
          break;
        case 3: {
          const Millis wait = wheel.until_next(now);
          const auto nearest =
              std::min_element(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
          if (nearest != due.end()) {
            ASSERT_GE(wait, Millis{0});
            ASSERT_LE(now + wait, nearest->second);
          }
          now += Millis{static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 20)))};
          fired.clear();
          wheel.advance(now);
          Millis before{0};
          for (const auto& [timer, at] : fired) {
            ASSERT_TRUE(due.contains(timer));
            ASSERT_LE(due[timer], now);
            ASSERT_GE(due[timer], before);
            before = due[timer];
            due.erase(timer);
          }
          for (const auto& [timer, at] : due) ASSERT_GT(at, now) << timer;
          break;
        }
      }
      for (int i = 0; i < kTimers; ++i) ASSERT_EQ(timers[i]->armed(), due.contains(i));
    }
  }
}

}  // namespace
}  // namespace carillon
