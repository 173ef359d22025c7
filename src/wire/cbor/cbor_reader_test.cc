#include "wire/cbor/cbor_reader.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "wire/cbor/cbor_notation.h"

namespace carillon {
namespace {

std::string fault_of(std::string_view hex) {
  const auto checked = check_cbor(from_hex(hex));
  return checked ? "accepted" : checked.error().text;
}

std::string repeat(std::string_view hex, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += hex;
  return out;
}

TEST(CborReader, gives_what_a_codec_asks_for) {
  const std::string bytes = from_hex(
      "a1695375627363726962658250001122334455667788"
      "99aabbccddeeff39ffff");
  CborReader reader(bytes);
  const auto map = reader.next();
  ASSERT_TRUE(map);
  EXPECT_EQ(map->type, CborType::kMap);
  EXPECT_EQ(map->value, 1u);
  EXPECT_FALSE(map->is_key);
  const auto key = reader.next();
  ASSERT_TRUE(key);
  EXPECT_EQ(key->bytes, "Subscribe");
  EXPECT_TRUE(key->is_key);
  EXPECT_EQ(key->offset, 1u);
  const auto array = reader.next();
  ASSERT_TRUE(array);
  EXPECT_EQ(array->value, 2u);
  EXPECT_FALSE(array->is_key);
  EXPECT_EQ(reader.depth(), 2u);
  const auto uuid = reader.next();
  ASSERT_TRUE(uuid);
  EXPECT_EQ(uuid->type, CborType::kBytes);
  EXPECT_EQ(uuid->bytes.size(), 16u);
  const auto number = reader.next();
  ASSERT_TRUE(number);
  EXPECT_EQ(number->as_i64(), -65536);
  const auto array_end = reader.next();
  ASSERT_TRUE(array_end);
  EXPECT_EQ(array_end->type, CborType::kEnd);
  EXPECT_EQ(array_end->ended, CborType::kArray);
  EXPECT_FALSE(reader.complete());
  const auto map_end = reader.next();
  ASSERT_TRUE(map_end);
  EXPECT_EQ(map_end->ended, CborType::kMap);
  EXPECT_TRUE(reader.complete());
  EXPECT_TRUE(reader.finish());
}

TEST(CborReader, keys_are_told_from_values_through_tags_and_lists) {
  // {1([2]): [3], "a": 4(5)}
  const std::string bytes = from_hex(
      "bfc181028103"
      "6161c405ff");
  CborReader reader(bytes);
  std::string keys;
  do {
    const auto item = reader.next();
    ASSERT_TRUE(item);
    keys += item->is_key ? 'k' : '-';
  } while (!reader.complete());
  // Map; tag, array, 2, end; array, 3, end; "a"; tag, 5; end.
  EXPECT_EQ(keys, "-kk-----k---");
}

TEST(CborReader, whole_numbers_that_do_not_fit_are_nothing) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ((CborItem{.type = CborType::kUnsigned, .value = kMax}.as_i64()), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ((CborItem{.type = CborType::kNegative, .value = kMax}.as_i64()), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ((CborItem{.type = CborType::kUnsigned, .value = kMax + 1}.as_i64()), std::nullopt);
  EXPECT_EQ((CborItem{.type = CborType::kNegative, .value = kMax + 1}.as_i64()), std::nullopt);
  EXPECT_EQ((CborItem{.type = CborType::kTag, .value = 1}.as_i64()), std::nullopt);
}

TEST(CborReader, skips_whole_items_and_gives_their_bytes) {
  // ["a", 1({_ 1: [2]}), (_ "b", "c")], then 7.
  const std::string bytes = from_hex("836161c1bf018102ff7f61626163ff07");
  CborReader reader(bytes);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(to_hex(*reader.skip()), "6161");
  EXPECT_EQ(to_hex(*reader.skip()), "c1bf018102ff");
  EXPECT_EQ(to_hex(*reader.skip()), "7f61626163ff");
  EXPECT_EQ(to_hex(*reader.skip()), "");
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(to_hex(*reader.skip()), "07");
  EXPECT_EQ(reader.position(), bytes.size());
  EXPECT_TRUE(reader.finish());
}

TEST(CborReader, strings_in_chunks_are_put_together) {
  const std::string bytes = from_hex("825f41004201fe40ff627879");
  CborReader reader(bytes);
  std::string scratch;
  ASSERT_TRUE(reader.next());
  const auto chunked = reader.next();
  ASSERT_TRUE(chunked);
  EXPECT_TRUE(chunked->indefinite);
  EXPECT_EQ(to_hex(*reader.string(*chunked, scratch)), "0001fe");
  const auto whole = reader.next();
  ASSERT_TRUE(whole);
  EXPECT_EQ(reader.string(*whole, scratch)->data(), bytes.data() + 10);  // As it lies there.
}

TEST(CborReader, heads_need_not_be_the_shortest) {
  for (const char* hex : {"1800", "190000", "1a00000000", "1b0000000000000000", "3b0000000000000000", "580100", "7a0000000161",
                          "990000", "9b0000000000000001f6", "ba00000000", "db0000000000000001f6"}) {
    EXPECT_EQ(fault_of(hex), "accepted") << hex;
  }
}

TEST(CborReader, texts_are_utf8) {
  EXPECT_EQ(fault_of("62c328"), "invalid UTF-8 at offset 1");
  EXPECT_EQ(fault_of("6561c3bcff61"), "invalid UTF-8 at offset 4");
  EXPECT_EQ(fault_of("61c3"), "invalid UTF-8 at offset 1");
  EXPECT_EQ(fault_of("63eda080"), "invalid UTF-8 at offset 1");  // A surrogate.
  EXPECT_EQ(fault_of("7f61c361bcff"), "invalid UTF-8 at offset 2") << "each chunk by itself (section 3.2.3)";
  EXPECT_EQ(fault_of("43c328ff"), "accepted");
}

TEST(CborReader, faults_are_worded_and_placed_as_clients_know_them) {
  EXPECT_EQ(fault_of(""), "EOF while parsing a value");
  EXPECT_EQ(fault_of("ff"), "unexpected code at offset 1");
  EXPECT_EQ(fault_of("1c"), "unassigned type at offset 1");
  EXPECT_EQ(fault_of("0000"), "trailing data at offset 2");
  EXPECT_EQ(fault_of("a1695375627363726962656161"
                     "4100"),
            "trailing data at offset 14");
  EXPECT_EQ(fault_of("a1695375627363726962"), "EOF while parsing a value at offset 10");
  EXPECT_EQ(fault_of("9f01"), "EOF while parsing an array at offset 2");
  EXPECT_EQ(fault_of("bf0102"), "EOF while parsing a map at offset 3");
  EXPECT_EQ(fault_of("bf01"), "EOF while parsing a value at offset 2");
  EXPECT_EQ(fault_of("5f00ff"), "unexpected code at offset 2");
}

TEST(CborReader, a_fault_stays) {
  const std::string bytes = from_hex("8201ff");
  CborReader reader(bytes);
  EXPECT_TRUE(reader.next());
  EXPECT_TRUE(reader.next());
  for (int i = 0; i < 2; ++i) {
    const auto item = reader.next();
    ASSERT_FALSE(item);
    EXPECT_EQ(item.error().kind, ErrorKind::kInvalid);
    EXPECT_EQ(item.error().text, "unexpected code at offset 3");
  }
  EXPECT_FALSE(reader.skip());
  EXPECT_FALSE(reader.finish());
  EXPECT_EQ(reader.fault().offset, 3u);
}

TEST(CborReader, nesting_is_bounded) {
  for (const std::string_view opening : {"81", "9f", "a100", "bf00"}) {
    const std::string_view closing = opening[1] == 'f' ? "ff" : "";
    const auto nested = [&](std::size_t depth) { return repeat(opening, depth) + "00" + repeat(closing, depth); };
    EXPECT_EQ(fault_of(nested(128)), "accepted") << opening;
    const std::string place = fmt::format("{}", opening.size() / 2 * 128 + 1);
    EXPECT_EQ(fault_of(nested(129)), "recursion limit exceeded at offset " + place) << opening;
  }
  EXPECT_EQ(fault_of(repeat("81", 1000000) + "00"), "recursion limit exceeded at offset 129");

  const std::string three = from_hex("81818100");
  EXPECT_TRUE(CborReader(three, {.depth_max = 3}).skip());
  EXPECT_FALSE(CborReader(three, {.depth_max = 2}).skip());
  EXPECT_FALSE(CborReader(three, {.depth_max = 0}).skip());
}

TEST(CborReader, many_tags_in_a_row_nest_nothing) {
  EXPECT_EQ(fault_of(repeat("c1", 1000000) + "00"), "accepted");
  EXPECT_EQ(fault_of(repeat("c1", 1000000)), "EOF while parsing a value at offset 1000000");
}

TEST(CborReader, lengths_are_believed_only_as_far_as_there_are_bytes) {
  EXPECT_EQ(fault_of("9bffffffffffffffff"), "EOF while parsing a value at offset 9");
  EXPECT_EQ(fault_of("bbffffffffffffffff0000"), "EOF while parsing a value at offset 11");
  EXPECT_EQ(fault_of("bb80000000000000000000"), "EOF while parsing a value at offset 11") << "twice that is 0 again";
  EXPECT_EQ(fault_of("5bffffffffffffffff"), "EOF while parsing a value at offset 9");
  EXPECT_EQ(fault_of("7bfffffffffffffff700"), "EOF while parsing a value at offset 10");
  EXPECT_EQ(fault_of("5f5bffffffffffffffff00ff"), "EOF while parsing a value at offset 12");
}

TEST(CborReader, open_lists_cannot_claim_the_same_bytes) {
  // Each list says that it has all the bytes that are left: only the first is believed.
  std::string bytes;
  CborWriter writer(bytes);
  for (std::size_t left = 1000; left >= 900; left -= 3) writer.array(left - 3);
  bytes.resize(1000, '\0');
  CborReader reader(bytes);
  const auto first = reader.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->value, 997u);
  EXPECT_FALSE(reader.next());
}

TEST(CborReader, random_bytes_are_skipped_as_they_are_walked) {
  constexpr unsigned kSeed = 20240607;
  std::mt19937 random(kSeed);
  int accepted = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) {
      // Small heads mostly, so that some come out well-formed.
      byte = static_cast<char>(random() % 4 == 0 ? random() : (random() % 8) << 5 | random() % 3);
    }
    CborReader walker(bytes);
    bool good = true;
    do {
      good = walker.next().has_value();
    } while (good && !walker.complete());
    CborReader skipper(bytes);
    const auto skipped = skipper.skip();
    ASSERT_EQ(skipped.has_value(), good) << to_hex(bytes);
    if (!good) {
      ASSERT_EQ(skipper.fault().describe(), walker.fault().describe()) << to_hex(bytes);
      continue;
    }
    ++accepted;
    ASSERT_EQ(skipped->size(), walker.position()) << to_hex(bytes);
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_LT(accepted, 49000);
}

}  // namespace
}  // namespace carillon
