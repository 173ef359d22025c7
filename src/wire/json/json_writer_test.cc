#include "wire/json/json_writer.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <limits>

namespace carillon {
namespace {

std::string json_of(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonString, PlainTextIsOnlyQuoted) {
  EXPECT_EQ(json_of(""), R"("")");
  EXPECT_EQ(json_of("repo:alice/app"), R"("repo:alice/app")");
  EXPECT_EQ(json_of("héllo → 🔔 \x7F"), "\"héllo → 🔔 \x7F\"");
}

TEST(JsonString, EscapesWhatMustBe) {
  EXPECT_EQ(json_of("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json_of("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json_of(std::string_view("\0\x01\x1F", 3)), R"("\u0000\u0001\u001f")");
}

TEST(JsonString, AppendsToWhatIsThere) {
  std::string out = "x=";
  append_json_string(out, "y");
  EXPECT_EQ(out, "x=\"y\"");
}

TEST(JsonString, EachMaximalInvalidPieceBecomesOneReplacement) {
  EXPECT_EQ(json_of("a\xFFz"), "\"a\uFFFDz\"");
  EXPECT_EQ(json_of("\x80\x80"), "\"\uFFFD\uFFFD\"");
  EXPECT_EQ(json_of("\xE2\x82"), "\"\uFFFD\"") << "cut off at the end";
  EXPECT_EQ(json_of("\xE2\x82z"), "\"\uFFFDz\"") << "cut off in the middle";
  EXPECT_EQ(json_of("\xC0\xAF"), "\"\uFFFD\uFFFD\"") << "overlong";
  EXPECT_EQ(json_of("\xED\xA0\x80"), "\"\uFFFD\uFFFD\uFFFD\"") << "a surrogate";
  EXPECT_EQ(json_of("\xF4\x90\x80\x80"), "\"\uFFFD\uFFFD\uFFFD\uFFFD\"") << "above U+10FFFF";
  EXPECT_EQ(json_of("\xF0\x9F\x94\"x"), "\"\uFFFD\\\"x\"") << "the byte after the piece is looked at anew";
}

TEST(JsonString, EveryTwoByteTextReadsBack) {
  simdjson::dom::parser parser;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second)};
      const std::string json = "[" + json_of(text) + "]";
      std::string_view read;
      ASSERT_EQ(parser.parse(json).at(0).get(read), simdjson::SUCCESS) << first << ' ' << second;
      if (first < 128 && second < 128) {
        ASSERT_EQ(read, text);
      }
    }
  }
}

TEST(JsonWriter, WritesNestedValuesWithTheirCommas) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("a").number(1).key("b").begin_array().end_array().key("c").begin_array();
  writer.string("x")
      .boolean(true)
      .boolean(false)
      .null()
      .begin_object()
      .end_object()
      .begin_object()
      .key("y")
      .number(-2)
      .end_object();
  writer.end_array().key("d").raw(R"({"z":[]})").key("e").string("").end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[],"c":["x",true,false,null,{},{"y":-2}],"d":{"z":[]},"e":""})");
}

TEST(JsonWriter, TextsThatEndInStructureDoNotConfuseTheCommas) {
  std::string out;
  JsonWriter(out).begin_array().string("{").string("[").string(":").string(",").end_array();
  EXPECT_EQ(out, R"(["{","[",":",","])");
}

TEST(JsonWriter, BeginsAfterWhatTheStringHeld) {
  std::string out = "data";
  JsonWriter(out).begin_object().end_object();
  EXPECT_EQ(out, "data{}");
}

TEST(JsonWriter, WritesNumbersOfEveryKind) {
  std::string out;
  JsonWriter(out)
      .begin_array()
      .number(std::numeric_limits<std::int64_t>::min())
      .number(std::numeric_limits<std::uint64_t>::max())
      .number(std::uint8_t{7})
      .number(0.1)
      .number(1e300)
      .number(std::numeric_limits<double>::infinity())
      .number(std::numeric_limits<double>::quiet_NaN())
      .end_array();
  EXPECT_EQ(out, "[-9223372036854775808,18446744073709551615,7,0.1,1e+300,null,null]");
}

TEST(JsonWriter, SplicesTheMembersOfAnObject) {
  std::string out;
  JsonWriter(out).begin_object().members("{}").members(R"({"a":1,"b":[2]})").members("{}").key("c").null().end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[2],"c":null})");
}

}  // namespace
}  // namespace carillon
