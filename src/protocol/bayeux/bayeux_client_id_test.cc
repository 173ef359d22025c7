#include "protocol/bayeux/bayeux_client_id.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <set>

namespace carillon {
namespace {

class SomeRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(bits_());
  }

 private:
  std::mt19937 bits_{1};
};

class SomeClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return 1'790'000'000'000; }
};

TEST(BayeuxClientId, NamesItsNodeAndPlaceAndIsNeverTheSame) {
  SomeRandom random;
  SomeClock clock;
  std::set<std::string> made;
  for (const BayeuxHome home : {BayeuxHome{0, 0}, {1, 1}, {0, 255}, {65535, 63}, {258, 7}}) {
    const std::string id = make_bayeux_client_id(home, clock, random);
    EXPECT_EQ(id.size(), 40u);
    EXPECT_EQ(bayeux_node(id), home.node) << id;
    EXPECT_EQ(bayeux_place(id), home.place) << id;
    EXPECT_TRUE(made.insert(id.substr(16)).second) << "96 random bits";
  }
}

TEST(BayeuxClientId, BeginsWithTheTimeToLessThanATenthOfASecond) {
  SomeRandom random;
  SomeClock clock;
  const std::int64_t now_us = clock.unix_ms() * 1000;
  for (const std::uint16_t node : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{65535}}) {
    const std::string id = make_bayeux_client_id({.node = node}, clock, random);
    EXPECT_LT(std::abs(std::stoll(id.substr(0, 14), nullptr, 16) - now_us), 66'000) << id;
  }
  EXPECT_EQ(std::stoll(make_bayeux_browser_id(clock, random).substr(0, 14), nullptr, 16), now_us);
}

TEST(BayeuxClientId, OtherTextsNameNobody) {
  const std::string digits(40, 'f');
  EXPECT_EQ(bayeux_node(digits), 65535);
  for (const std::string& text :
       {std::string(), digits + "f", digits.substr(1), digits.substr(1) + "g", digits.substr(1) + "F"}) {
    EXPECT_EQ(bayeux_node(text), 0) << text;
    EXPECT_FALSE(bayeux_place(text)) << text;
  }
}

}  // namespace
}  // namespace carillon
