#include "wire/cbor/cbor_json.h"

#include <random>

#include <gtest/gtest.h>

#include "wire/cbor/cbor_notation.h"
#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

std::string json_of(std::string_view hex) {
  const auto json = cbor_to_json(from_hex(hex));
  return json ? *json : "fault: " + json.error().text;
}

std::string cbor_of(std::string_view json) {
  const auto cbor = json_to_cbor(json);
  return cbor ? to_hex(*cbor) : "fault: " + cbor.error().text;
}

TEST(CborJson, what_both_know_stays_the_same) {
  const struct {
    const char* hex;
    const char* json;
  } kSame[] = {
      {"00", "0"},
      {"3903e7", "-1000"},
      {"1b0020000000000001", "9007199254740993"},
      {"1bffffffffffffffff", "18446744073709551615"},
      {"3bffffffffffffffff", "-18446744073709551616"},
      {"3b7fffffffffffffff", "-9223372036854775808"},
      {"3bfffffffffffffffe", "-18446744073709551615"},
      {"f93e00", "1.5"},
      {"f98000", "-0"},
      {"fb7e37e43c8800759c", "1e+300"},
      {"f4", "false"},
      {"f5", "true"},
      {"f6", "null"},
      {"60", "\"\""},
      {"62225c", R"("\"\\")"},
      {"64f0908591", "\"\U00010151\""},
      {"80", "[]"},
      {"a0", "{}"},
      {"8301820203820405", "[1,[2,3],[4,5]]"},
      {"a26161016162820203", R"({"a":1,"b":[2,3]})"},
      {"826161a161626163", R"(["a",{"b":"c"}])"},
      {"a2616101616102", R"({"a":1,"a":2})"},
      {"828080", "[[],[]]"},
      {"a160a160a0", R"({"":{"":{}}})"},
  };
  for (const auto& [hex, json] : kSame) {
    EXPECT_EQ(json_of(hex), json) << hex;
    EXPECT_EQ(cbor_of(json), hex) << json;
  }
}

TEST(CborJson, what_json_has_no_word_for) {
  EXPECT_EQ(json_of("4401020304"), "\"AQIDBA==\"");
  EXPECT_EQ(json_of("5f42010242"
                    "0304ff"),
            "\"AQIDBA==\"");
  EXPECT_EQ(json_of("7f657374726561646d696e67ff"), "\"streaming\"");
  EXPECT_EQ(json_of("9f01bf616102ffff"), R"([1,{"a":2}])");
  EXPECT_EQ(json_of("86f97e00f97c00f9fc00f7f0f8ff"), "[null,null,null,null,null,null]");
  EXPECT_EQ(json_of("c1c21a514b67b0"), "1363896240");
  EXPECT_EQ(json_of("c249010000000000000000"), "\"AQAAAAAAAAAA\"");
  EXPECT_EQ(json_of("61"
                    "00"),
            "\"\\u0000\"");
}

TEST(CborJson, keys_become_texts) {
  EXPECT_EQ(json_of("a7"
                    "0102"
                    "2003"
                    "f604"
                    "f505"
                    "f93e0006"
                    "42ffff07"
                    "c1616108"),
            R"({"1":2,"-1":3,"null":4,"true":5,"1.5":6,"//8=":7,"a":8})");
  EXPECT_EQ(json_of("a17f61616162ff80"), R"({"ab":[]})");
  EXPECT_EQ(json_of("8200a18000"), "fault: an array or a map cannot be a name in JSON at offset 3");
  EXPECT_EQ(json_of("a1c1a000"), "fault: an array or a map cannot be a name in JSON at offset 2");
}

TEST(CborJson, malformed_cbor_is_told_as_the_reader_tells_it) {
  EXPECT_EQ(json_of(""), "fault: EOF while parsing a value");
  EXPECT_EQ(json_of("8201"), "fault: EOF while parsing a value at offset 2");
  EXPECT_EQ(json_of("0102"), "fault: trailing data at offset 2");
  EXPECT_EQ(json_of("7f4100ff"), "fault: unexpected code at offset 2");
}

TEST(CborJson, numbers_of_json_find_the_type_that_keeps_them) {
  EXPECT_EQ(cbor_of("-0"), "f98000");
  EXPECT_EQ(cbor_of("-0.0"), "f98000");
  EXPECT_EQ(cbor_of("0.0"), "f90000");
  EXPECT_EQ(cbor_of("1e2"), "f95640");
  EXPECT_EQ(cbor_of("1.1"), "fb3ff199999999999a");
  EXPECT_EQ(cbor_of("18446744073709551616"), "fa5f800000");
  EXPECT_EQ(cbor_of("-18446744073709551617"), "fadf800000");
  EXPECT_EQ(cbor_of("[1,\n1e999]"), "fault: number out of range at line 2 column 5");
  EXPECT_EQ(cbor_of("1e-999"), "fault: number out of range at line 1 column 6");
}

TEST(CborJson, blanks_and_escapes_of_json_are_gone) {
  EXPECT_EQ(cbor_of(" { \"\\u0061\\\"\" : [ 1 , \"]}\\\\\" , true ] ,\r\n\t\"b\" : { } } "),
            "a2626122830163"
            "5d7d5cf56162a0");
  EXPECT_EQ(cbor_of(R"("\ud800\udd51\n")"), "65f09085910a");
  EXPECT_EQ(cbor_of("[" + std::string(23, ' ') + "[[]],[[],{}]]"), "8281808280a0");
}

TEST(CborJson, invalid_json_is_told_as_the_slicer_tells_it) {
  EXPECT_EQ(cbor_of(""), "fault: EOF while parsing a value at line 1 column 0");
  EXPECT_EQ(cbor_of("[1,]"), "fault: trailing comma at line 1 column 4");
}

TEST(CborJson, both_nest_as_deep) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  const auto cbor = json_to_cbor(nested(128));
  ASSERT_TRUE(cbor);
  const auto json = cbor_to_json(*cbor);
  ASSERT_TRUE(json);
  EXPECT_EQ(*json, nested(128));
  EXPECT_FALSE(json_to_cbor(nested(129)));
  EXPECT_FALSE(cbor_to_json('\x81' + *cbor));
}

TEST(CborJson, lists_of_many_entries_are_counted) {
  std::string json = "[0";
  for (int i = 1; i < 70000; ++i) json += ",0";
  json += "]";
  const auto cbor = json_to_cbor(json);
  ASSERT_TRUE(cbor);
  EXPECT_EQ(to_hex(cbor->substr(0, 6)), "9a0001117000");
  EXPECT_EQ(cbor->size(), 70005u);
  const auto back = cbor_to_json(*cbor);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, json);
}

TEST(CborJson, random_bytes_become_json_that_comes_back) {
  std::mt19937 random(11);
  int shown = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string bytes(1 + random() % 24, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : (random() % 8) << 5 | random() % 4);
    const auto json = cbor_to_json(bytes);
    if (!json) continue;
    ++shown;
    ASSERT_TRUE(JsonSlicer().check(*json)) << to_hex(bytes) << ": " << *json;
    const auto cbor = json_to_cbor(*json);
    ASSERT_TRUE(cbor) << to_hex(bytes) << ": " << *json;
    ASSERT_EQ(*cbor_to_json(*cbor), *json) << to_hex(bytes);
  }
  EXPECT_GT(shown, 1000);
}

}  // namespace
}  // namespace carillon
