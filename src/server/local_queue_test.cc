#include "server/local_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace carillon {
namespace {

using namespace std::chrono_literals;

std::string frame_of(std::initializer_list<std::string_view> messages) {
  std::string frame;
  for (const std::string_view message : messages) {
    const std::size_t at = frame.size();
    append_local_length(frame);
    frame += message;
    set_local_length(frame, at);
  }
  return frame;
}

TEST(LocalQueue, SplitsFramesIntoMessages) {
  LocalQueue queue(1000);
  const std::string large(70'000, 'x');
  EXPECT_TRUE(queue.offer(frame_of({"one", "", large})));
  queue.push(frame_of({"last"}));
  EXPECT_EQ(queue.take(0ms).message, "one");
  EXPECT_EQ(queue.take(0ms).message, "");
  EXPECT_EQ(queue.take(0ms).message, large);
  EXPECT_EQ(queue.take(0ms).message, "last");
  EXPECT_EQ(queue.take(0ms).message, std::nullopt);
}

TEST(LocalQueue, RefusesWhatHasNoRoomAndSaysWhenThereIs) {
  LocalQueue queue(100);
  const std::string frame = frame_of({std::string(16, 'a'), std::string(16, 'b')});  // 40 bytes.
  EXPECT_TRUE(queue.offer(frame));
  EXPECT_TRUE(queue.offer(frame));
  EXPECT_FALSE(queue.offer(frame));
  EXPECT_FALSE(queue.take(0ms).has_room);  // 60 bytes are left: more than half.
  EXPECT_TRUE(queue.take(0ms).has_room);
  EXPECT_FALSE(queue.take(0ms).has_room);  // Said once for each refusal.
  EXPECT_TRUE(queue.offer(frame));
}

TEST(LocalQueue, ARefusedFrameLargerThanTheLimitComesIntoTheEmptyQueue) {
  LocalQueue queue(100);
  const std::string huge = frame_of({std::string(500, 'h')});
  EXPECT_TRUE(queue.offer(frame_of({"a"})));
  EXPECT_FALSE(queue.offer(huge));
  EXPECT_TRUE(queue.take(0ms).has_room);
  EXPECT_TRUE(queue.offer(huge));
}

TEST(LocalQueue, AClosedQueueGivesWhatWaitsAndKeepsItsFirstReason) {
  LocalQueue queue(100);
  queue.push(frame_of({"last words"}));
  EXPECT_FALSE(queue.closed());
  queue.close("for a reason");
  queue.close("for another");
  EXPECT_TRUE(queue.closed());
  EXPECT_EQ(queue.close_reason(), "for a reason");
  EXPECT_EQ(queue.take(10s).message, "last words");
  EXPECT_EQ(queue.take(10s).message, std::nullopt);
}

TEST(LocalQueue, ATakerWaitsForWhatComes) {
  LocalQueue queue(100);
  std::thread giver([&queue] { queue.push(frame_of({"here"})); });
  EXPECT_EQ(queue.take(10s).message, "here");
  giver.join();
}

}  // namespace
}  // namespace carillon
