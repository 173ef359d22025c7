#include "protocol/deadline_list.h"

#include <gtest/gtest.h>

#include <string>

#include "base/manual_loop.h"

namespace carillon {
namespace {

struct Guest final : DeadlineList::Member {
  Guest(std::string of, std::string& said) : name(std::move(of)), told(said) {}
  void on_deadline() override {
    told += name;
    if (then) then();
  }
  std::string name;
  std::string& told;
  Task then;
};

class DeadlineListTest : public testing::Test {
 protected:
  Millis in(int ms) { return loop_.now() + Millis{ms}; }

  ManualLoop loop_;
  std::string told_;
  Guest a_{"a", told_}, b_{"b", told_};
  DeadlineList list_{loop_};
};

TEST_F(DeadlineListTest, EachIsToldAtItsTime) {
  list_.add(a_, in(500));
  list_.add(b_, in(100));
  loop_.advance(Millis{100} + TimerWheel::kTick);
  EXPECT_EQ(told_, "b");
  loop_.advance(Millis{400});
  EXPECT_EQ(told_, "ba");
  EXPECT_EQ(list_.size(), 0u);
}

TEST_F(DeadlineListTest, WhoWasRemovedIsNotTold) {
  const Millis soon = in(100);
  list_.add(a_, soon);
  list_.add(b_, soon);
  list_.remove(a_, soon);
  list_.remove(a_, soon);
  loop_.advance(Millis{200});
  EXPECT_EQ(told_, "b");
}

TEST_F(DeadlineListTest, WhoIsToldMayWaitAgainAndRemoveOthers) {
  const Millis soon = in(100);
  a_.then = [this, soon] {
    list_.remove(b_, soon);
    a_.then = {};
    list_.add(a_, in(100));
  };
  b_.then = [this, soon] {
    list_.remove(a_, soon);
    b_.then = {};
    list_.add(b_, in(100));
  };
  list_.add(a_, soon);
  list_.add(b_, soon);
  loop_.advance(Millis{300});
  EXPECT_TRUE(told_ == "aa" || told_ == "bb") << told_;
}

}  // namespace
}  // namespace carillon
