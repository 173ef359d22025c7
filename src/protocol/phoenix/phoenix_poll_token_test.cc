#include "protocol/phoenix/phoenix_poll_token.h"

#include <gtest/gtest.h>

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

TEST(PhoenixPollToken, NamesItsPlaceAndIsNeverTheSame) {
  SomeRandom random;
  std::set<std::string> made;
  for (const std::size_t place : {0, 1, 255, 9999}) {
    const std::string token = make_phoenix_poll_token(place, random);
    EXPECT_EQ(phoenix_poll_place(token), place) << token;
    EXPECT_TRUE(made.insert(token.substr(token.find('.'))).second);
    EXPECT_EQ(token.find_first_not_of("0123456789abcdef."), std::string::npos);
  }
}

TEST(PhoenixPollToken, OtherTextsAreNone) {
  const std::string secret(32, 'a');
  EXPECT_EQ(phoenix_poll_place("1." + secret), 1u);
  for (const std::string& token : {std::string(), secret, "." + secret, "x." + secret, "-1." + secret, "10000." + secret,
                                   "1." + secret + "a", "1." + secret.substr(1), "1." + secret.substr(1) + "g",
                                   "1.." + secret.substr(1), std::string("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")}) {
    EXPECT_FALSE(phoenix_poll_place(token)) << token;
  }
}

}  // namespace
}  // namespace carillon
