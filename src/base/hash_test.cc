#include "base/hash.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

namespace carillon {
namespace {

TEST(HashName, IsTheSameForEqualNamesWhereverTheyLie) {
  const std::string text = "repo:alice/app/prs and more than sixteen bytes";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string copy = " " + text.substr(0, size);
    EXPECT_EQ(hash_name(std::string_view(text).substr(0, size)), hash_name(std::string_view(copy).substr(1)));
  }
  EXPECT_EQ(hash_name({}), hash_name(""));
}

TEST(HashName, TellsApartEveryLengthAndEveryByte) {
  std::set<std::size_t> hashes;
  for (std::size_t size = 0; size < 64; ++size) {
    std::string name(size, '\0');
    hashes.insert(hash_name(name));
    for (std::size_t i = 0; i < size; ++i) {
      name[i] = 1;
      hashes.insert(hash_name(name));
      name[i] = 0;
    }
  }
  EXPECT_EQ(hashes.size(), 64u + 63 * 64 / 2);
}

// A known factor that could be made zero would give all these names one hash.
TEST(HashName, NoKnownWordsMakeNamesCollide) {
  for (const std::uint64_t word : {0xe7037ed1a0b428dbu, 0xa0761d6478bd642fu}) {
    for (const std::size_t place : {0u, 8u, 16u, 24u}) {
      std::set<std::size_t> hashes;
      for (char c = 'a'; c <= 'z'; ++c) {
        std::string name(32, c);
        std::memcpy(name.data() + place, &word, sizeof word);
        hashes.insert(hash_name(name));
        hashes.insert(hash_name(name.substr(0, 16)));
      }
      EXPECT_EQ(hashes.size(), 52u);
    }
  }
}

TEST(HashName, EveryBitOfTheResultMoves) {
  std::size_t ever = 0, always = ~std::size_t{0};
  for (int i = 0; i < 200; ++i) {
    const std::size_t hash = hash_name("room:" + std::to_string(i));
    ever |= hash;
    always &= hash;
  }
  EXPECT_EQ(ever, ~std::size_t{0});
  EXPECT_EQ(always, 0u);
}

}  // namespace
}  // namespace carillon
