#include "hub/listener.h"

#include <gtest/gtest.h>

#include <thread>

namespace carillon {
namespace {

PublicationPtr publication(std::string channel) {
  auto made = std::make_unique<Publication>();
  made->channel = std::move(channel);
  return PublicationPtr(made.release());
}

constexpr std::chrono::milliseconds kNoWait{0};

TEST(Listener, GivesPublicationsInOrder) {
  Listener listener(10);
  listener.push(publication("a"));
  listener.push(publication("b"));
  EXPECT_EQ(listener.next(kNoWait)->channel, "a");
  EXPECT_EQ(listener.next(kNoWait)->channel, "b");
  EXPECT_EQ(listener.next(kNoWait), nullptr);
  EXPECT_EQ(listener.take_lost(), 0u);
}

TEST(Listener, HoldsItsCapacityLosesTheOldestAndCountsThem) {
  Listener listener(1024);
  for (int i = 0; i < 1500; ++i) listener.push(publication(std::to_string(i)));
  EXPECT_EQ(listener.take_lost(), 1500u - 1024u);
  EXPECT_EQ(listener.take_lost(), 0u);
  EXPECT_EQ(listener.next(kNoWait)->channel, std::to_string(1500 - 1024));
  int left = 0;
  while (listener.next(kNoWait) != nullptr) ++left;
  EXPECT_EQ(left, 1023);
}

TEST(Listener, GivesWhatWaitsAfterCloseAndTakesNoMore) {
  Listener listener(10);
  listener.push(publication("a"));
  listener.close();
  listener.push(publication("b"));
  EXPECT_EQ(listener.next(std::chrono::hours{1})->channel, "a");
  EXPECT_EQ(listener.next(std::chrono::hours{1}), nullptr);
}

TEST(Listener, WaitsForThePublicationAndForTheClose) {
  Listener listener(10);
  std::thread other([&listener] {
    listener.push(publication("a"));
    listener.close();
  });
  EXPECT_EQ(listener.next(std::chrono::hours{1})->channel, "a");
  EXPECT_EQ(listener.next(std::chrono::milliseconds::max()), nullptr);
  other.join();
}

}  // namespace
}  // namespace carillon
