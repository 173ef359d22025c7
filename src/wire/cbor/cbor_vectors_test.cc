// The examples of RFC 8949: appendix A (well-formed) and appendix F (malformed).
#include <gtest/gtest.h>

#include "wire/cbor/cbor_notation.h"

namespace carillon {
namespace {

struct Example {
  const char* hex;
  const char* notation;
};

// Lengths given, heads and numbers the shortest: what the writer gives, too.
const Example kDeterministic[] = {
    {"00", "0"},
    {"01", "1"},
    {"0a", "10"},
    {"17", "23"},
    {"1818", "24"},
    {"1819", "25"},
    {"1864", "100"},
    {"1903e8", "1000"},
    {"1a000f4240", "1000000"},
    {"1b000000e8d4a51000", "1000000000000"},
    {"1bffffffffffffffff", "18446744073709551615"},
    {"c249010000000000000000", "2(h'010000000000000000')"},
    {"3bffffffffffffffff", "-18446744073709551616"},
    {"c349010000000000000000", "3(h'010000000000000000')"},
    {"20", "-1"},
    {"29", "-10"},
    {"3863", "-100"},
    {"3903e7", "-1000"},
    {"f90000", "0.0"},
    {"f98000", "-0.0"},
    {"f93c00", "1.0"},
    {"fb3ff199999999999a", "1.1"},
    {"f93e00", "1.5"},
    {"f97bff", "65504.0"},
    {"fa47c35000", "100000.0"},
    {"fa7f7fffff", "3.4028234663852886e+38"},
    {"fb7e37e43c8800759c", "1e+300"},
    {"f90001", "5.960464477539063e-08"},
    {"f90400", "6.103515625e-05"},
    {"f9c400", "-4.0"},
    {"fbc010666666666666", "-4.1"},
    {"f97c00", "inf"},
    {"f97e00", "nan"},
    {"f9fc00", "-inf"},
    {"f4", "false"},
    {"f5", "true"},
    {"f6", "null"},
    {"f7", "undefined"},
    {"f0", "simple(16)"},
    {"f8ff", "simple(255)"},
    {"c074323031332d30332d32315432303a30343a30305a", "0(\"2013-03-21T20:04:00Z\")"},
    {"c11a514b67b0", "1(1363896240)"},
    {"c1fb41d452d9ec200000", "1(1363896240.5)"},
    {"d74401020304", "23(h'01020304')"},
    {"d818456449455446", "24(h'6449455446')"},
    {"d82076687474703a2f2f7777772e6578616d706c652e636f6d", "32(\"http://www.example.com\")"},
    {"40", "h''"},
    {"4401020304", "h'01020304'"},
    {"60", "\"\""},
    {"6161", "\"a\""},
    {"6449455446", "\"IETF\""},
    {"62225c", "\"\\\"\\\\\""},
    {"62c3bc", "\"\u00fc\""},
    {"63e6b0b4", "\"\u6c34\""},
    {"64f0908591", "\"\U00010151\""},
    {"80", "[]"},
    {"83010203", "[1, 2, 3]"},
    {"8301820203820405", "[1, [2, 3], [4, 5]]"},
    {"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
     "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25]"},
    {"a0", "{}"},
    {"a201020304", "{1: 2, 3: 4}"},
    {"a26161016162820203", "{\"a\": 1, \"b\": [2, 3]}"},
    {"826161a161626163", "[\"a\", {\"b\": \"c\"}]"},
    {"a56161614161626142616361436164614461656145", "{\"a\": \"A\", \"b\": \"B\", \"c\": \"C\", \"d\": \"D\", \"e\": \"E\"}"},
};

const Example kLongFloats[] = {
    {"fa7f800000", "inf"},         {"fa7fc00000", "nan"},         {"faff800000", "-inf"},
    {"fb7ff0000000000000", "inf"}, {"fb7ff8000000000000", "nan"}, {"fbfff0000000000000", "-inf"},
};

const Example kIndefinite[] = {
    {"5f42010243030405ff", "(_ h'0102', h'030405')"},
    {"7f657374726561646d696e67ff", "(_ \"strea\", \"ming\")"},
    {"9fff", "[_ ]"},
    {"9f018202039f0405ffff", "[_ 1, [2, 3], [_ 4, 5]]"},
    {"9f01820203820405ff", "[_ 1, [2, 3], [4, 5]]"},
    {"83018202039f0405ff", "[1, [2, 3], [_ 4, 5]]"},
    {"83019f0203ff820405", "[1, [_ 2, 3], [4, 5]]"},
    {"9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
     "[_ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25]"},
    {"bf61610161629f0203ffff", "{_ \"a\": 1, \"b\": [_ 2, 3]}"},
    {"826161bf61626163ff", "[\"a\", {_ \"b\": \"c\"}]"},
    {"bf6346756ef563416d7421ff", "{_ \"Fun\": true, \"Amt\": -2}"},
};

// Cut off: more bytes could make something of them.
const char* const kTooShort[] = {
    // In a head.
    "18",
    "19",
    "1a",
    "1b",
    "1901",
    "1a0102",
    "1b01020304050607",
    "38",
    "58",
    "78",
    "98",
    "9a01ff00",
    "b8",
    "d8",
    "f8",
    "f900",
    "fa0000",
    "fb000000",
    // In a string.
    "41",
    "61",
    "5affffffff00",
    "5bffffffffffffffff010203",
    "7affffffff00",
    "7b7fffffffffffffff010203",
    // In a list with a count.
    "81",
    "818181818181818181",
    "8200",
    "a1",
    "a20102",
    "a100",
    "a2000000",
    // Behind a tag.
    "c0",
    // In what ends with a break.
    "5f4100",
    "7f6100",
    "9f",
    "9f0102",
    "bf",
    "bf01020102",
    "819f",
    "9f8000",
    "9f9f9f9f9fffffffff",
    "9f819f819f9fffffff",
};

const char* const kMalformed[] = {
    // Reserved heads.
    "1c",
    "1d",
    "1e",
    "3c",
    "3d",
    "3e",
    "5c",
    "5d",
    "5e",
    "7c",
    "7d",
    "7e",
    "9c",
    "9d",
    "9e",
    "bc",
    "bd",
    "be",
    "dc",
    "dd",
    "de",
    "fc",
    "fd",
    "fe",
    // Simple values that have a shorter form, or are none.
    "f800",
    "f801",
    "f818",
    "f81f",
    // Chunks of another type, or without a length.
    "5f00ff",
    "5f21ff",
    "5f6100ff",
    "5f80ff",
    "5fa0ff",
    "5fc000ff",
    "5fe0ff",
    "7f4100ff",
    "5f5f4100ffff",
    "7f7f6100ffff",
    // A break where nothing can end.
    "ff",
    "81ff",
    "8200ff",
    "a1ff",
    "a1ff00",
    "a100ff",
    "a20000ff",
    "9f81ff",
    "9f829f819f9fffffffff",
    "bf00ff",
    "bf000000ff",
    // Majors that know no indefinite length.
    "1f",
    "3f",
    "df",
};

std::string diagnosed(std::string_view hex) {
  const std::string bytes = from_hex(hex);
  CborReader reader(bytes);
  std::string out = diagnose(reader);
  const auto finished = reader.finish();
  return finished ? out : out + finished.error().text;
}

TEST(CborVectors, every_example_is_read) {
  for (const auto& [hex, notation] : kDeterministic) EXPECT_EQ(diagnosed(hex), notation) << hex;
  for (const auto& [hex, notation] : kLongFloats) EXPECT_EQ(diagnosed(hex), notation) << hex;
  for (const auto& [hex, notation] : kIndefinite) EXPECT_EQ(diagnosed(hex), notation) << hex;
}

TEST(CborVectors, deterministic_examples_are_written_as_they_were_read) {
  for (const auto& example : kDeterministic) {
    const auto written = rewrite_cbor(from_hex(example.hex));
    EXPECT_EQ(to_hex(written.value_or("")), example.hex);
  }
}

TEST(CborVectors, long_floats_are_written_as_halves) {
  for (const auto& [hex, notation] : kLongFloats) {
    const auto written = rewrite_cbor(from_hex(hex));
    ASSERT_TRUE(written) << hex;
    EXPECT_EQ(written->size(), 3u) << hex;
    EXPECT_EQ(diagnosed(to_hex(*written)), notation) << hex;
  }
}

TEST(CborVectors, every_example_cut_short_is_an_early_end) {
  const auto check_prefixes = [](const Example& example) {
    const std::string bytes = from_hex(example.hex);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto checked = check_cbor(std::string_view(bytes).substr(0, size));
      ASSERT_FALSE(checked) << example.hex << " cut to " << size;
      EXPECT_EQ(checked.error().text.rfind("EOF while parsing a", 0), 0u) << example.hex << ": " << checked.error().text;
    }
    const auto extended = check_cbor(bytes + '\0');
    ASSERT_FALSE(extended);
    EXPECT_EQ(extended.error().text, fmt::format("trailing data at offset {}", bytes.size() + 1));
  };
  for (const Example& example : kDeterministic) check_prefixes(example);
  for (const Example& example : kLongFloats) check_prefixes(example);
  for (const Example& example : kIndefinite) check_prefixes(example);
}

TEST(CborVectors, what_is_too_short_says_so) {
  for (const char* hex : kTooShort) {
    const std::string bytes = from_hex(hex);
    const auto checked = check_cbor(bytes);
    ASSERT_FALSE(checked) << hex;
    EXPECT_EQ(checked.error().text.rfind("EOF while parsing a", 0), 0u) << hex << ": " << checked.error().text;
    EXPECT_NE(checked.error().text.find(fmt::format(" at offset {}", bytes.size())), std::string::npos) << hex;
  }
}

TEST(CborVectors, what_is_malformed_is_refused) {
  for (const char* hex : kMalformed) EXPECT_FALSE(check_cbor(from_hex(hex))) << hex;
}

}  // namespace
}  // namespace carillon
