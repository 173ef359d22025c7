#include "base/manual_loop.h"

#include <gtest/gtest.h>

#include <string>

namespace carillon {
namespace {

class Note final : public Disposable {
 public:
  Note(std::string& story, char letter) : story_(story), letter_(letter) {}
  ~Note() override { story_ += letter_; }

 private:
  std::string& story_;
  char letter_;
};

class Hook final : public TurnEnd {
 public:
  explicit Hook(std::string& story) : story_(story) {}
  void on_turn_end() override { story_ += '|'; }

 private:
  std::string& story_;
};

TEST(ManualLoop, RunsTasksThenHooksThenFrees) {
  ManualLoop loop;
  std::string story;
  Hook hook(story);
  loop.add_turn_end(hook);
  loop.post([&] {
    story += 'a';
    loop.dispose(std::make_unique<Note>(story, 'x'));
    loop.post([&] { story += 'c'; });
  });
  loop.post([&] { story += 'b'; });
  loop.turn();
  EXPECT_EQ(story, "ab|x");
  loop.settle();
  EXPECT_EQ(story, "ab|xc|");
}

TEST(ManualLoop, FiresEachTimerAtItsOwnTimeAndNeverEarly) {
  ManualLoop loop;
  std::vector<Millis> fired;
  CallbackTimer late([&] { fired.push_back(loop.now()); });
  CallbackTimer early([&] {
    fired.push_back(loop.now());
    loop.schedule(late, Millis{1000});
  });
  loop.schedule(early, Millis{100});
  loop.advance(Millis{99});
  EXPECT_TRUE(fired.empty());
  loop.advance(Millis{5000});
  ASSERT_EQ(fired.size(), 2u);
  EXPECT_GE(fired[0], Millis{100});
  EXPECT_LE(fired[0], Millis{100} + 2 * TimerWheel::kTick);
  EXPECT_GE(fired[1], fired[0] + Millis{1000});
  EXPECT_LE(fired[1], fired[0] + Millis{1000} + 2 * TimerWheel::kTick);
  EXPECT_EQ(loop.now(), Millis{5099});
}

TEST(ManualLoop, InATurnOnlyTheTurningLoopIsAtHome) {
  ManualLoop one;
  ManualLoop two;
  EXPECT_TRUE(one.in_loop_thread());
  EXPECT_TRUE(two.in_loop_thread());
  bool asked = false;
  one.post([&] {
    asked = true;
    EXPECT_TRUE(one.in_loop_thread());
    EXPECT_FALSE(two.in_loop_thread());
  });
  one.turn();
  EXPECT_TRUE(asked);
  std::thread([&] { EXPECT_FALSE(one.in_loop_thread()); }).join();
}

TEST(ManualLoop, TasksOfALoopThatEndsAreDestroyedUnrun) {
  std::string story;
  {
    ManualLoop loop;
    loop.post([&story, note = std::make_unique<Note>(story, 'd')] { story += "ran"; });
  }
  EXPECT_EQ(story, "d");
}

}  // namespace
}  // namespace carillon
