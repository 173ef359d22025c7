#include "hub/publication_id.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace carillon {
namespace {

TEST(PublicationId, LeadsBackToWhatItWasMadeOf) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const Position position{.epoch = random() >> 16, .offset = random() >> (i % 64)};
    const std::uint64_t bits = random() >> 6;
    const Uuid id = publication_id(position, bits);
    EXPECT_EQ(offset_in(id, position.epoch), position.offset);
    EXPECT_EQ(random_in(id), bits);
  }
}

TEST(PublicationId, IsAVersion4Uuid) {
  const std::string text = publication_id({.epoch = 7, .offset = 1}, 0x0123456789abcdef).text();
  EXPECT_EQ(text[14], '4');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
}

TEST(PublicationId, NeighboursLookUnlike) {
  std::mt19937_64 random(2);
  std::set<std::string> beginnings;
  for (std::uint64_t offset = 1; offset <= 1000; ++offset) {
    beginnings.insert(publication_id({.epoch = 7, .offset = offset}, random()).text().substr(0, 8));
  }
  EXPECT_EQ(beginnings.size(), 1000u);
}

TEST(PublicationId, AnotherEpochSaysAnotherOffset) {
  EXPECT_NE(offset_in(publication_id({.epoch = 7, .offset = 5}, 9), 8), 5u);
}

}  // namespace
}  // namespace carillon
