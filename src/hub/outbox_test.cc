#include "hub/outbox.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

class OutboxTest : public testing::Test {
 protected:
  ~OutboxTest() override { outbox.clear(); }

  FramePtr publication(std::string_view text) {
    return Frame::make(memory, text, {.channel = std::make_shared<const std::string>("c")});
  }
  FramePtr answer(std::string_view text) { return Frame::make(memory, text, {}); }
  std::string waiting(std::size_t pieces_max = 100) const {
    std::vector<std::string_view> pieces(pieces_max);
    std::string all;
    const std::size_t count = outbox.gather(pieces);
    for (std::size_t i = 0; i < count; ++i) all += pieces[i];
    return all;
  }

  FrameMemory memory;
  Outbox outbox;
};

TEST_F(OutboxTest, IsSmallAndNeedsNoMemoryWhenIdle) {
  EXPECT_EQ(sizeof(Outbox), 16u);
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.bytes(), 0u);
  EXPECT_EQ(waiting(), "");
  EXPECT_EQ(outbox.drop_oldest(), nullptr);
}

TEST_F(OutboxTest, PartialSendsContinueWhereTheyStopped) {
  outbox.push(answer("abcd"));
  outbox.consume(3);
  EXPECT_EQ(waiting(), "d");
  EXPECT_EQ(outbox.bytes(), 1u);
  outbox.push(answer("efgh"));
  outbox.push(answer("ij"));
  EXPECT_EQ(waiting(), "defghij");
  outbox.consume(3);
  EXPECT_EQ(waiting(), "ghij");
  EXPECT_EQ(outbox.frame_count(), 2u);
  outbox.consume(4);
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(memory.bytes, 0u);
}

TEST_F(OutboxTest, GatherFillsWhatItIsGiven) {
  for (const char* text : {"a", "b", "c"}) outbox.push(answer(text));
  EXPECT_EQ(waiting(0), "");
  EXPECT_EQ(waiting(2), "ab");
  EXPECT_EQ(waiting(3), "abc");
}

TEST_F(OutboxTest, UrgentGoesFirstButNeverInsideAMessage) {
  outbox.push(answer("one"));
  outbox.push(answer("two"));
  outbox.push_urgent(answer("!"));
  EXPECT_EQ(waiting(), "!onetwo");
  outbox.consume(2);
  outbox.push_urgent(answer("?"));
  EXPECT_EQ(waiting(), "ne?two");
  outbox.push_urgent(answer("-"));
  EXPECT_EQ(waiting(), "ne-?two");
}

TEST_F(OutboxTest, UrgentIntoAnEmptyAndASingleOne) {
  outbox.push_urgent(answer("a"));
  EXPECT_EQ(waiting(), "a");
  outbox.push_urgent(answer("b"));
  EXPECT_EQ(waiting(), "ba");
}

TEST_F(OutboxTest, DropsTheOldestPublicationNeverAnAnswerNorWhatHasBegun) {
  outbox.push(publication("p1"));
  outbox.push(answer("a"));
  outbox.push(publication("p2"));
  outbox.push(publication("p3"));
  outbox.consume(1);
  EXPECT_EQ(outbox.drop_oldest()->bytes(), "p2");
  EXPECT_EQ(waiting(), "1ap3");
  EXPECT_EQ(outbox.drop_oldest()->bytes(), "p3");
  EXPECT_EQ(outbox.drop_oldest(), nullptr);
  EXPECT_EQ(waiting(), "1a");
}

TEST_F(OutboxTest, DroppingTheOnlyOneEmptiesIt) {
  outbox.push(publication("p"));
  EXPECT_EQ(outbox.drop_oldest()->bytes(), "p");
  EXPECT_TRUE(outbox.empty());
  outbox.push(publication("q"));
  outbox.push(publication("r"));
  outbox.drop_oldest();
  outbox.drop_oldest();
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(memory.bytes, 0u);
}

TEST_F(OutboxTest, PopTakesWholeFrames) {
  outbox.push(answer("a"));
  outbox.push(answer("b"));
  EXPECT_EQ(outbox.pop()->bytes(), "a");
  EXPECT_EQ(outbox.pop()->bytes(), "b");
  EXPECT_TRUE(outbox.empty());
}

TEST_F(OutboxTest, FramesWithoutBytesLeaveWithTheRest) {
  outbox.push(answer(""));
  outbox.consume(0);
  EXPECT_TRUE(outbox.empty());
  outbox.push(answer("a"));
  outbox.push(answer(""));
  outbox.consume(1);
  EXPECT_TRUE(outbox.empty());
}

// A client that sends commands and does not read: its answers wait in front, publications come and go behind them.
TEST_F(OutboxTest, ManyDropsBehindManyAnswersKeepItSmallAndFast) {
  for (int i = 0; i < 20'000; ++i) outbox.push(answer("a"));
  for (int i = 0; i < 200'000; ++i) {
    outbox.push(publication(std::to_string(i)));
    if (i >= 10) {
      ASSERT_EQ(outbox.drop_oldest()->bytes(), std::to_string(i - 10));
    }
  }
  EXPECT_EQ(outbox.frame_count(), 20'010u);
}

TEST_F(OutboxTest, ManyUrgentFramesAreFast) {
  for (int i = 0; i < 20'000; ++i) outbox.push(answer("a"));
  for (int i = 0; i < 100'000; ++i) outbox.push_urgent(answer("u"));
  EXPECT_EQ(outbox.frame_count(), 120'000u);
  EXPECT_EQ(waiting(1), "u");
}

// Whatever is done, it holds what a list of texts would hold.
TEST_F(OutboxTest, BehavesAsAListOfFrames) {
  struct Entry {
    std::string text;
    bool droppable;
  };
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Dice random(seed);
    std::deque<Entry> model;
    std::size_t sent = 0;  // Of the model's first.
    int next = 0;
    const unsigned pushes = 3 + random() % 12;  // How pushes compare with what takes out.
    for (int step = 0; step < 1500; ++step) {
      const unsigned what = random() % (pushes + 6);
      if (what < pushes) {
        const std::string text = std::to_string(next++) + std::string(random() % 4, '.');
        const bool droppable = random() % 3 > 0;
        outbox.push(droppable ? publication(text) : answer(text));
        model.push_back({text, droppable});
      } else if (what == pushes) {
        const std::string text = "u" + std::to_string(next++);
        outbox.push_urgent(answer(text));
        model.insert(model.begin() + (sent > 0 ? 1 : 0), {text, false});
      } else if (what <= pushes + 2) {
        std::size_t count = outbox.bytes() == 0 ? 0 : random() % (std::min<std::size_t>(outbox.bytes(), 40) + 1);
        outbox.consume(count);
        while (!model.empty() && count >= model.front().text.size() - sent) {
          count -= model.front().text.size() - sent;
          sent = 0;
          model.pop_front();
        }
        if (!model.empty()) sent += count;
      } else if (what <= pushes + 4) {
        const auto oldest =
            std::find_if(model.begin() + (sent > 0 ? 1 : 0), model.end(), [](const Entry& entry) { return entry.droppable; });
        const FramePtr dropped = outbox.drop_oldest();
        ASSERT_EQ(dropped == nullptr, oldest == model.end());
        if (dropped != nullptr) {
          ASSERT_EQ(dropped->bytes(), oldest->text);
          model.erase(oldest);
        }
      } else if (!model.empty() && sent == 0) {
        ASSERT_EQ(outbox.pop()->bytes(), model.front().text);
        model.pop_front();
      }
      std::string expected;
      for (const Entry& entry : model) expected += entry.text;
      expected.erase(0, sent);
      ASSERT_EQ(outbox.bytes(), expected.size());
      ASSERT_EQ(outbox.frame_count(), model.size());
      ASSERT_EQ(outbox.empty(), model.empty());
      if (step % 7 == 0) {
        ASSERT_EQ(waiting(model.size() + 1), expected);
      }
    }
    outbox.clear();
    ASSERT_EQ(memory.bytes, 0u);
  }
}

}  // namespace
}  // namespace carillon
