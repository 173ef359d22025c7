#include "wire/cbor/cbor_writer.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "wire/cbor/cbor_notation.h"

namespace carillon {
namespace {

template <class Write>
std::string hex_of(Write write) {
  std::string out;
  CborWriter writer(out);
  write(writer);
  return to_hex(out);
}

std::string hex_of_number(auto value) {
  return hex_of([&](CborWriter& writer) { writer.number(value); });
}

TEST(CborWriter, heads_are_the_shortest) {
  EXPECT_EQ(hex_of_number(23), "17");
  EXPECT_EQ(hex_of_number(24), "1818");
  EXPECT_EQ(hex_of_number(0xFF), "18ff");
  EXPECT_EQ(hex_of_number(0x100), "190100");
  EXPECT_EQ(hex_of_number(0xFFFF), "19ffff");
  EXPECT_EQ(hex_of_number(0x10000), "1a00010000");
  EXPECT_EQ(hex_of_number(0xFFFFFFFFu), "1affffffff");
  EXPECT_EQ(hex_of_number(0x100000000), "1b0000000100000000");
  EXPECT_EQ(hex_of_number(std::int8_t{-24}), "37");
  EXPECT_EQ(hex_of_number(std::int8_t{-25}), "3818");
  EXPECT_EQ(hex_of_number(std::numeric_limits<std::int64_t>::min()), "3b7fffffffffffffff");
  EXPECT_EQ(hex_of([](CborWriter& writer) { writer.text(std::string(24, 'a')); }).substr(0, 6), "781861");
  EXPECT_EQ(hex_of([](CborWriter& writer) { writer.tag(55799).map(1).null().simple(32); }), "d9d9f7a1f6f820");
}

TEST(CborWriter, an_example_of_infotainer) {
  const std::string id = from_hex("00112233445566778899aabbccddeeff");
  const std::string written = hex_of([&](CborWriter& writer) {
    writer.map(1).text("SubmitPublication").map(2);
    writer.text("subscription_id").bytes(id);
    writer.text("submission").array(3);
    for (const int byte : {0x48, 0x69, 0xff}) writer.number(byte);
  });
  EXPECT_EQ(written,
            "a1715375626d69745075626c69636174696f6ea26f737562736372697074696f6e5f6964"
            "5000112233445566778899aabbccddeeff6a7375626d697373696f6e831848186918ff");
}

TEST(CborWriter, floats_take_the_smallest_size_that_keeps_them) {
  EXPECT_EQ(hex_of_number(65504.0), "f97bff");
  EXPECT_EQ(hex_of_number(65505.0), "fa477fe100");
  EXPECT_EQ(hex_of_number(65536.0), "fa47800000");
  EXPECT_EQ(hex_of_number(std::ldexp(1.0, -24)), "f90001");
  EXPECT_EQ(hex_of_number(std::ldexp(1.0, -25)), "fa33000000");
  EXPECT_EQ(hex_of_number(std::ldexp(1023.0, -24)), "f903ff");
  EXPECT_EQ(hex_of_number(std::ldexp(1.5, -24)), "fa33c00000");
  EXPECT_EQ(hex_of_number(std::numeric_limits<float>::denorm_min()), "fa00000001");
  EXPECT_EQ(hex_of_number(static_cast<double>(std::numeric_limits<float>::denorm_min()) / 2), "fb3690000000000000");
  EXPECT_EQ(hex_of_number(std::numeric_limits<double>::max()), "fb7fefffffffffffff");
  EXPECT_EQ(hex_of_number(-std::numeric_limits<double>::quiet_NaN()), "f97e00");
}

TEST(CborWriter, every_half_is_written_as_it_was_read) {
  for (unsigned half = 0; half < 0x10000; ++half) {
    std::string bytes{'\xF9', static_cast<char>(half >> 8), static_cast<char>(half & 255)};
    const bool nan = (half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0;
    ASSERT_EQ(to_hex(rewrite_cbor(bytes).value_or("")), nan ? "f97e00" : to_hex(bytes));
  }
}

TEST(CborWriter, random_doubles_are_read_as_they_were_written) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 100000; ++round) {
    // Some with few bits, which singles and halves can keep.
    const std::uint64_t bits = random() & ~std::uint64_t{0} << (random() % 60);
    const auto value = std::bit_cast<double>(bits);
    std::string out;
    CborWriter(out).number(value);
    CborReader reader(out);
    const auto item = reader.next();
    ASSERT_TRUE(item && reader.finish());
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(item->number));
    } else {
      ASSERT_EQ(std::bit_cast<std::uint64_t>(item->number), bits);
    }
  }
}

// Items of every kind from a seed, written down twice: as CBOR and in diagnostic notation.
class RandomItem {
 public:
  explicit RandomItem(unsigned seed) : random_(seed) { write_item(4); }

  const std::string& bytes() const { return bytes_; }
  const std::string& notation() const { return notation_; }

 private:
  std::uint64_t any_size() { return random_() >> (random_() % 64); }

  std::string any_text() {
    static constexpr std::string_view kPieces[] = {"a", "\"", "\\", "\n", "\u00fc", "\u6c34", "\U00010151"};
    std::string text;
    for (auto count = random_() % 40; count > 0; --count) text += kPieces[random_() % std::size(kPieces)];
    return text;
  }

  void write_list(int depth, bool map) {
    const std::size_t count = random_() % 5;
    map ? writer_.map(count) : writer_.array(count);
    notation_ += map ? '{' : '[';
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) notation_ += ", ";
      write_item(depth - 1);
      if (!map) continue;
      notation_ += ": ";
      write_item(depth - 1);
    }
    notation_ += map ? '}' : ']';
  }

  void write_item(int depth) {
    const std::uint64_t number = any_size();
    switch (random_() % (depth == 0 ? 7 : 10)) {
      case 0:
        writer_.number(number);
        notation_ += fmt::format("{}", number);
        return;
      case 1:
        writer_.number(-1 - static_cast<std::int64_t>(number >> 1));
        notation_ += fmt::format("{}", -1 - static_cast<std::int64_t>(number >> 1));
        return;
      case 2: {
        const std::string bytes = any_text();
        writer_.bytes(bytes);
        notation_ += "h'" + to_hex(bytes) + "'";
        return;
      }
      case 3: {
        const std::string text = any_text();
        writer_.text(text);
        append_json_string(notation_, text);
        return;
      }
      case 4:
        writer_.number(static_cast<double>(number) / 8);
        notation_ += diagnose_float(static_cast<double>(number) / 8);
        return;
      case 5:
        writer_.boolean(number % 2 == 1);
        notation_ += number % 2 == 1 ? "true" : "false";
        return;
      case 6:
        writer_.null().raw("");
        notation_ += "null";
        return;
      case 7:
        writer_.tag(number);
        notation_ += fmt::format("{}(", number);
        write_item(depth - 1);
        notation_ += ')';
        return;
      case 8: write_list(depth, /*map=*/false); return;
      default: write_list(depth, /*map=*/true); return;
    }
  }

  std::mt19937_64 random_;
  std::string bytes_;
  std::string notation_;
  CborWriter writer_{bytes_};
};

TEST(CborWriter, random_items_are_read_as_they_were_written) {
  for (unsigned seed = 0; seed < 5000; ++seed) {
    const RandomItem item(seed);
    CborReader reader(item.bytes());
    ASSERT_EQ(diagnose(reader), item.notation()) << "seed " << seed;
    ASSERT_TRUE(reader.finish()) << "seed " << seed;
    ASSERT_EQ(rewrite_cbor(item.bytes()), item.bytes()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace carillon
