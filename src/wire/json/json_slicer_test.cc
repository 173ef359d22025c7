#include "wire/json/json_slicer.h"

#include <cmath>
#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

namespace carillon {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;

bool accepts(std::string_view text) {
  return JsonSlicer().check(text).has_value();
}

std::string fault_of(std::string_view text) {
  JsonSlicer slicer;
  const auto document = slicer.slice(text);
  return document ? "accepted" : document.error().text;
}

std::string join(std::initializer_list<std::string_view> pieces) {
  std::string out;
  for (const std::string_view piece : pieces) out += piece;
  return out;
}

std::string repeat(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

std::vector<std::string> texts(std::span<const JsonSpan> items) {
  std::vector<std::string> out;
  for (const JsonSpan& item : items) out.emplace_back(item.text);
  return out;
}

std::vector<std::string> member_texts(const JsonDocument& document) {
  std::vector<std::string> out;
  for (const JsonMember& member : document.members)
    out.push_back(std::string(member.key) + "=" + std::string(member.value.text));
  return out;
}

// What a strict reader must take, after the ideas of JSONTestSuite's y_ files.
const std::vector<std::string> kValid = {
    // Structures.
    "[]", "{}", "[[]]", "[{}]", "{\"\":{}}", "[[],[[]],{}]", " [] ", "\t\n\r [ \t\n\r ] \t\n\r ", "[1,2,3]", "[ 1 , 2 ]",
    "{\"a\":1,\"b\":2}", "{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":\"b\",\"a\":\"b\"}", "{\"a\":\"b\",\"a\":\"c\"}", "{\"\":0}",
    "{\"a\\u0000b\":42}", "{\"min\": -1.0e+28, \"max\": 1.0e+28}", "{\"x\":[{\"id\":\"x\"}],\"id\":\"x\"}",
    "{\n\"a\": \"b\"\n}", "[1\n]", "[null,1,\"1\",{}]", "[1,null,null,null,2]", "[\"a\"]\n", "[\"\"]", "[2] ",
    // Scalars as the root.
    "null", "true", "false", "0", "-0", "42", "-0.1", "\"asd\"", "\"\"", "\" \"", " null ", "[true,false,null]",
    // Numbers.
    "[123e65]", "[0e+1]", "[0e1]", "[ 4]",
    "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]", "[20e1]", "[-0]", "[-123]", "[-1]",
    "[1E22]", "[1E-2]", "[1E+2]", "[123e45]", "[123.456e78]", "[1e-2]", "[1e+2]", "[123]", "[123.456789]", "[0.1]", "[0.0]",
    "[0E0]", "[0.00e-00]", "[9007199254740993]", "[18446744073709551615]", "[-9223372036854775808]", "[1.7976931348623157e308]",
    "[1e-999]",
    // Strings.
    R"(["\u0060\u012a\u12AB"])", R"(["\uD801\udc37"])", R"(["\ud83d\ude39\ud83d\udc8d"])", R"(["\"\\\/\b\f\n\r\t"])",
    R"(["\\u0000"])", R"(["\""])", R"(["a/*b*/c/*d//e"])", R"(["\\a"])", R"(["\\n"])", R"(["\u0012"])", R"(["\uFFFF"])",
    R"(["\uDBFF\uDFFF"])", R"(["new\u00A0line"])", R"(["\u0000"])", R"(["\u002c"])", R"(["\uD834\uDd1e"])", R"(["\u200B"])",
    R"(["\u005C"])", R"(["\u0022"])", R"(["\u0821"])", R"(["\u0123"])", R"(["\uFDD0"])", R"(["\uFFFE"])", R"(["\uDBFF\uDFFE"])",
    "[\"\x7F\"]", "[\"\xC3\xA9\"]", "[\"\xC2\x80\"]", "[\"\xDF\xBF\"]", "[\"\xE0\xA0\x80\"]", "[\"\xED\x9F\xBF\"]",
    "[\"\xEE\x80\x80\"]", "[\"\xEF\xBF\xBF\"]", "[\"\xEF\xBB\xBF\"]", "[\"\xE2\x80\xA8\"]", "[\"\xF0\x90\x80\x80\"]",
    "[\"\xF3\xBF\xBF\xBF\"]", "[\"\xF4\x8F\xBF\xBF\"]", "{\"\xE2\x82\xAC\":\"\xE2\x82\xAC\"}"};

// What it must refuse, after the n_ files.
const std::vector<std::string> kInvalid = {
    // Structures.
    "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[,", "[[1]", "[1]]", "[1}", "{]", "[}", "[1 2]",
    "[1 true]", "[a]", "[1:2]", "[\"\":1]", "[1,2}", "[[[", "[{", "[{}", "[}]", "[*]", "[\"a\",\n4\n,1,", "[\"a\"", "[]]",
    "[][]", "{}{}", "{}}", "{} x", "[1]x", "1 2", "1,", "nullnull", "truefalse", "\"a\"\"b\"", "\"a\" 1", "{,}", "{,\"a\":1}",
    "{\"a\"}", "{\"a\",}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1,,\"b\":2}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "{\"a\"::1}",
    "{:1}", "{1:1}", "{a:1}", "{'a':1}", "{null:1}", "{[]:1}", "{{}:1}", "{\"a\":1", "{\"a\":1,", "{\"a\":", "{\"a\"", "{\"a",
    "{\"", "{\"a\":1]", "{\"a\":1}}", "{\"a\":1}#", "{\"a\":1}//", "{\"a\":1}/**/", "/*a*/1", "[1,/*a*/2]", "{\"a\":/*b*/1}",
    "{\"a\":(1)}", "<null>", "[<null>]", "[\x0C]", "[\v]", "\f[]", "[]\0"s, "\0"s, "[\0]"s, "1\0"s, "[\xC2\xA0]",
    "\xE2\x81\xA0[]", "\xC2\x85[]", "\xEF\xBB\xBF[]", "\xEF\xBB\xBF", "\xEF\xBB", "[\xEF\xBB\xBF]", "\xFF\xFE[\0]\0"s,
    "\0[\0]"s, "[\xFF]", "\xE5", "[\xE5]", "{\xE5:1}", "[\\u000A\"\"]", "\\", "[\\n]", "'a'", "['a']", "[\"a\",\\",
    "{\"a\":\"b\"",
    // Literals.
    "n", "nul", "nulll", "nu", "t", "tru", "truee", "f", "fals", "falsey", "True", "NULL", "None", "undefined", "[nul]",
    "[tru]", "[fals]", "[nu l]", "[nan]", "NaN", "[NaN]", "Infinity", "-Infinity", "[-Infinity]", "[Inf]", "[-NaN]", "[True]",
    "n\0ll"s, "tru\0"s,
    // Numbers.
    "-", "[-]", "+1", "[+1]", "[++1]", "[--1]", "[+Inf]", "01", "[01]", "[-01]", "[00]", "[-00]", "[012]", "[-012]", "[1.]",
    "[-2.]", "[2.e3]", "[2.e+3]", "[2.e-3]", "[.1]", "[.]", "[-.1]", "[.e1]", "[0.e1]", "[0.1.2]", "[1..2]", "[1e]", "[1e+]",
    "[1e-]", "[1E]", "[1E+]", "[0e]", "[0e+]", "[0.3e]", "[0.3e+]", "[1.0e]", "[1.0e+]", "[1eE2]", "[1e2.3]", "[1e1e1]",
    "[9.e+]", "[0x1]", "[0x]", "[0x42]", "[1_000]", "[1 000]", "[1,000", "[1a]", "[1e1a]", "[1.1a]", "[-a]", "[- 1]", "[1 .2]",
    "[1. 2]", "[1e 2]", "[1/2]", "[1+2]", "[-1-]", "[1-]", "[\xEF\xBC\x91]", "[1\xE5]", "[1e1\xE5]", "[0\xE5]", "1.", "1e",
    "1e+", "-", "1-", "0x1", "1f", "1u", "[-foo]", "[0-1]",
    // Strings.
    "\"", "\"a", "\"\\", "\"\\\"", "[\"", "[\"a", "[\"a]", "[\"\\\"]", "[\"\\", "[\"\\u", "[\"\\u1", "[\"\\u12", "[\"\\u123",
    "[\"\\u1234", R"(["\u"])", R"(["\u1"])", R"(["\u12"])", R"(["\u123"])", R"(["\u123g"])", R"(["\uG000"])", R"(["\u 123"])",
    R"(["\u-123"])", R"(["\u+123"])", R"(["\u00/0"])", R"(["\u00:0"])", R"(["\u00@0"])", R"(["\u00`0"])", R"(["\U0041"])",
    R"(["\x00"])", R"(["\a"])", R"(["\v"])", R"(["\0"])", R"(["\'"])", R"(["\e"])", R"(["\ "])", "[\"\\\n\"]", "[\"\\\0\"]"s,
    "[\"\\\xE5\"]", "[\"\\\xF0\x9F\x8C\x80\"]", R"(["\uD800"])", R"(["\uDBFF"])", R"(["\uDC00"])", R"(["\uDFFF"])",
    R"(["\uD800\uD800"])", R"(["\uD800a"])", R"(["\uD800\n"])", R"(["\uD800\u"])", R"(["\uD800\u1"])", R"(["\uD800\u1x"])",
    R"(["\uD800\u0041"])", R"(["\uDC00\uD800"])", R"(["\uD834\uDd"])", R"(["\uD800\\uDC00"])", R"(["\uD800 \uDC00"])",
    R"(["\ud800\udbff"])", R"(["\ud800\ue000"])", R"({"\uD800":1})", "[\"\n\"]", "[\"\t\"]", "[\"\r\"]", "[\"\0\"]"s,
    "[\"\x1F\"]", "[\"a\0a\"]"s, "\"a\nb\"", "{\"a\tb\":1}", "[\"\x80\"]", "[\"\xBF\"]", "[\"\xC0\xAF\"]", "[\"\xC1\xBF\"]",
    "[\"\xC2\"]", "[\"\xC2\x41\"]", "[\"\xC2\xC0\"]", "[\"\xE0\x80\xAF\"]", "[\"\xE0\x9F\xBF\"]", "[\"\xE1\x80\"]",
    "[\"\xE1\x41\x80\"]", "[\"\xED\xA0\x80\"]", "[\"\xED\xBF\xBF\"]", "[\"\xF0\x80\x80\x80\"]", "[\"\xF0\x8F\xBF\xBF\"]",
    "[\"\xF0\x90\x80\"]", "[\"\xF1\x80\x80\x41\"]", "[\"\xF4\x90\x80\x80\"]", "[\"\xF5\x80\x80\x80\"]",
    "[\"\xF8\x88\x80\x80\x80\"]", "[\"\xFC\x80\x80\x80\x80\x80\"]", "[\"\xFE\"]", "[\"\xFF\"]", "[\"\xE9\"]", "{\"\xE9\":1}",
    "\"\xC3", "\"\xE2\x82", "\"\xF0\x9F\x98", "[\"\xC3\xA9\xC3\"]", "[\"abcdefghijklmnopqrstuvw\xFFxyz\"]"};

TEST(JsonSlicer, AcceptsWhatIsValid) {
  for (const std::string& text : kValid) EXPECT_EQ(fault_of(text), "accepted") << testing::PrintToString(text);
}

TEST(JsonSlicer, RefusesWhatIsNot) {
  for (const std::string& text : kInvalid) {
    EXPECT_NE(fault_of(text), "accepted") << testing::PrintToString(text);
    EXPECT_FALSE(accepts(text)) << testing::PrintToString(text);
  }
}

TEST(JsonSlicer, GivesMembersInTheirOrderWithoutDescending) {
  const std::string text =
      R"(  {"type" : "publish","data":{ "a":[1, 2,{"b":"]}"}] } ,"id":17.50,"x":null, "y":true,"z":[ ],"w":false} )";
  JsonSlicer slicer;
  const auto document = slicer.slice(text);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root.type, JsonType::kObject);
  EXPECT_EQ(document->root.text, std::string_view(text).substr(2, text.size() - 3));
  EXPECT_THAT(member_texts(*document), ElementsAre(R"(type="publish")", R"(data={ "a":[1, 2,{"b":"]}"}] })", "id=17.50",
                                                   "x=null", "y=true", "z=[ ]", "w=false"));
  std::vector<JsonType> types;
  for (const JsonMember& member : document->members) types.push_back(member.value.type);
  EXPECT_THAT(types, ElementsAre(JsonType::kString, JsonType::kObject, JsonType::kNumber, JsonType::kNull, JsonType::kTrue,
                                 JsonType::kArray, JsonType::kFalse));
  EXPECT_TRUE(document->items.empty());
  for (const JsonMember& member : document->members) {  // Views of the text itself, not of copies.
    EXPECT_GE(member.value.text.data(), text.data());
    EXPECT_LE(member.value.text.data() + member.value.text.size(), text.data() + text.size());
    EXPECT_GE(member.key.data(), text.data());
  }
}

TEST(JsonSlicer, GivesItems) {
  JsonSlicer slicer;
  const auto document = slicer.slice(R"([ "1","1" , "room:42","new_msg",{"body":[]},[[]],-1e5,null])");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root.type, JsonType::kArray);
  EXPECT_THAT(texts(document->items),
              ElementsAre("\"1\"", "\"1\"", "\"room:42\"", "\"new_msg\"", R"({"body":[]})", "[[]]", "-1e5", "null"));
  EXPECT_TRUE(document->members.empty());
}

TEST(JsonSlicer, GivesAScalarRootWithoutItsSpace) {
  JsonSlicer slicer;
  const auto document = slicer.slice(" \"a b\" ");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root.type, JsonType::kString);
  EXPECT_EQ(document->root.text, "\"a b\"");
  EXPECT_TRUE(document->members.empty());
  EXPECT_TRUE(document->items.empty());
}

TEST(JsonSlicer, SlicesANestedValueWithASecondSlicer) {
  JsonSlicer outer, inner;
  const auto document = outer.slice(R"({"channel":"a","recover":{"epoch":"x1","offset":7},"id":1})");
  ASSERT_TRUE(document);
  const auto recover = inner.slice(document->find("recover")->text);
  ASSERT_TRUE(recover);
  EXPECT_THAT(member_texts(*recover), ElementsAre("epoch=\"x1\"", "offset=7"));
  EXPECT_EQ(document->find("id")->text, "1");
}

TEST(JsonSlicer, DecodesKeysAndKeepsDuplicates) {
  JsonSlicer slicer;
  const auto document = slicer.slice(
      R"({"\u0061":1,"plain":2,"a":3,"\ud83d\ude00\n\"\\\/\b\f\r\t":4,"nul\u0000":5,"\u00e9\u20AC":6,"nested":{"\u0061":7}})");
  ASSERT_TRUE(document);
  EXPECT_THAT(member_texts(*document), ElementsAre("a=1", "plain=2", "a=3", "\xF0\x9F\x98\x80\n\"\\/\b\f\r\t=4", "nul\0=5"s,
                                                   "\xC3\xA9\xE2\x82\xAC=6", R"(nested={"\u0061":7})"));
  EXPECT_EQ(document->find("a")->text, "1");
  EXPECT_EQ(document->find("b"), nullptr);
}

TEST(JsonSlicer, ForgetsTheLastDocument) {
  JsonSlicer slicer;
  ASSERT_TRUE(slicer.slice(R"({"\u0061":1,"b":2})"));
  ASSERT_TRUE(slicer.slice("[1]"));
  const auto array = slicer.slice("[1,2]");
  ASSERT_TRUE(array);
  EXPECT_EQ(array->items.size(), 2u);
  EXPECT_TRUE(array->members.empty());
  ASSERT_FALSE(slicer.slice(R"({"a":1,"\u0062":2,)"));
  const auto object = slicer.slice(R"({"\u0063":3})");
  ASSERT_TRUE(object);
  EXPECT_THAT(member_texts(*object), ElementsAre("c=3"));
}

TEST(JsonSlicer, UsesItsMemoryAgain) {
  JsonSlicer slicer;
  const auto first = slicer.slice(R"({"a key that is longer than a string holds inside \u0061":1,"b":[2]})");
  ASSERT_TRUE(first);
  const void* const members = first->members.data();
  const void* const key = first->members[0].key.data();
  const auto second = slicer.slice(R"({"another key that is longer than what is inside\n":1,"c":[2]})");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->members.data(), members);
  EXPECT_EQ(second->members[0].key.data(), key);
}

TEST(JsonSlicer, NamesTheFaultAsSerdeDoes) {
  EXPECT_EQ(fault_of(""), "EOF while parsing a value at line 1 column 0");
  EXPECT_EQ(fault_of("not json"), "expected ident at line 1 column 2");
  EXPECT_EQ(fault_of("{} x"), "trailing characters at line 1 column 4");
  EXPECT_EQ(fault_of("nulll"), "trailing characters at line 1 column 5");
  EXPECT_EQ(fault_of("tru"), "EOF while parsing a value at line 1 column 3");
  EXPECT_EQ(fault_of("?"), "expected value at line 1 column 1");
  EXPECT_EQ(fault_of("\n\n"), "EOF while parsing a value at line 3 column 0");
  EXPECT_EQ(fault_of("["), "EOF while parsing a list at line 1 column 1");
  EXPECT_EQ(fault_of("[1"), "EOF while parsing a list at line 1 column 2");
  EXPECT_EQ(fault_of("[1,"), "EOF while parsing a value at line 1 column 3");
  EXPECT_EQ(fault_of("[1,]"), "trailing comma at line 1 column 4");
  EXPECT_EQ(fault_of("[1 2]"), "expected `,` or `]` at line 1 column 4");
  EXPECT_EQ(fault_of("[1,2}"), "expected `,` or `]` at line 1 column 5");
  EXPECT_EQ(fault_of("[,"), "expected value at line 1 column 2");
  EXPECT_EQ(fault_of("{"), "EOF while parsing an object at line 1 column 1");
  EXPECT_EQ(fault_of("{\"a\""), "EOF while parsing an object at line 1 column 4");
  EXPECT_EQ(fault_of("{\"a\":"), "EOF while parsing a value at line 1 column 5");
  EXPECT_EQ(fault_of("{\"a\":1"), "EOF while parsing an object at line 1 column 6");
  EXPECT_EQ(fault_of("{\"a\" 1}"), "expected `:` at line 1 column 6");
  EXPECT_EQ(fault_of("{\"a\":1]"), "expected `,` or `}` at line 1 column 7");
  EXPECT_EQ(fault_of("{\"a\":1,}"), "trailing comma at line 1 column 8");
  EXPECT_EQ(fault_of("{\n  a: 1\n}"), "key must be a string at line 2 column 3");
  EXPECT_EQ(fault_of("01"), "invalid number at line 1 column 2");
  EXPECT_EQ(fault_of("-"), "EOF while parsing a value at line 1 column 1");
  EXPECT_EQ(fault_of("[1.]"), "invalid number at line 1 column 4");
  EXPECT_EQ(fault_of("\"a"), "EOF while parsing a string at line 1 column 2");
  EXPECT_EQ(fault_of("\"\\x\""), "invalid escape at line 1 column 3");
  EXPECT_EQ(fault_of("\"\\u00g0\""), "invalid escape at line 1 column 6");
  EXPECT_EQ(fault_of("\"a\tb\""), "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3");
  EXPECT_EQ(fault_of("\"\\ud800x\""), "lone leading surrogate in hex escape at line 1 column 8");
  EXPECT_EQ(fault_of("\"\\udc00\""), "lone trailing surrogate in hex escape at line 1 column 7");
  EXPECT_EQ(fault_of("\"\xFF\""), "invalid unicode code point at line 1 column 2");
}

TEST(JsonSlicer, FaultCarriesItsPlace) {
  JsonSlicer slicer;
  const auto document = slicer.slice("{\"a\": 1,\n \"b\": [1,\n  x]}");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(slicer.fault().text, "expected value");
  EXPECT_EQ(slicer.fault().offset, 21u);
  EXPECT_EQ(slicer.fault().line, 3u);
  EXPECT_EQ(slicer.fault().column, 3u);
  EXPECT_EQ(slicer.fault().describe(), document.error().text);
  EXPECT_EQ(json_fault("missing field `type`", "{}", 1).describe(), "missing field `type` at line 1 column 2");
}

// The same for every place of a string relative to the words it is read in.
TEST(JsonSlicer, FindsOneBadByteAnywhereInAString) {
  JsonSlicer slicer;
  for (std::size_t length = 1; length < 70; ++length) {
    for (std::size_t place = 0; place < length; ++place) {
      for (const char bad : {'\0', '\x1F', '"', '\\', '\x80', '\xFF'}) {
        std::string text = join({"\"", std::string(length, 'x'), "\""});
        ASSERT_TRUE(slicer.check(text));
        text[1 + place] = bad;
        ASSERT_FALSE(slicer.check(text)) << testing::PrintToString(text);
        // Behind a quote there is too much; a backslash goes wrong at its letter, or makes the last quote a letter.
        const std::size_t later = bad == '"' ? 1 : bad == '\\' ? (place + 1 == length ? 2 : 1) : 0;
        ASSERT_EQ(slicer.fault().offset, 1 + place + later);
      }
      std::string text = join({"\"", std::string(length, '~'), "\""});
      text[1 + place] = ' ';  // The lowest allowed byte, right beside those that are not.
      ASSERT_TRUE(slicer.check(text));
      text[1 + place] = '\x7F';
      ASSERT_TRUE(slicer.check(text));
    }
  }
}

TEST(JsonSlicer, RefusesEveryBeginningOfADocument) {
  const std::string text =
      "{\"type\":\"publish\",\"n\":[-1.5e+10,0,true,false,null,{},[]],\"s\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 long enough "
      "for "
      "several words\\n\\u00e9\\ud83d\\ude00\",\"o\":{\"k\":\"v\"}}";
  ASSERT_TRUE(accepts(text));
  for (std::size_t length = 0; length < text.size(); ++length) {
    // A block of its own size, so that a sanitizer sees a read beyond it.
    const std::vector<char> beginning(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
    JsonSlicer slicer;
    ASSERT_FALSE(slicer.slice({beginning.data(), length})) << text.substr(0, length);
  }
}

TEST(JsonSlicer, BoundsTheDepth) {
  JsonSlicer slicer({.depth_max = 3});
  EXPECT_TRUE(slicer.check("[[[]]]"));
  EXPECT_TRUE(slicer.check(R"([{"a":[]},[[1]],{"b":{}}])"));
  EXPECT_FALSE(slicer.check("[[[[]]]]"));
  EXPECT_EQ(slicer.fault().describe(), "recursion limit exceeded at line 1 column 4");
  EXPECT_FALSE(slicer.check(R"({"a":{"b":{"c":{}}}})"));
  EXPECT_TRUE(accepts(repeat("[", 128) + repeat("]", 128)));
  EXPECT_FALSE(accepts(repeat("[", 129) + repeat("]", 129)));
  EXPECT_FALSE(accepts(repeat("[", 1000000)));
  EXPECT_FALSE(accepts(repeat("{\"a\":", 1000000)));
  JsonSlicer flat({.depth_max = 0});
  EXPECT_TRUE(flat.check("1"));
  EXPECT_FALSE(flat.check("[]"));
}

TEST(JsonSlicer, BoundsTheEntriesButOnlyOfTheRoot) {
  JsonSlicer slicer({.entries_max = 2});
  EXPECT_TRUE(slicer.slice("[1,2]"));
  EXPECT_FALSE(slicer.slice("[1,2,3]"));
  EXPECT_EQ(slicer.fault().describe(), "too many members or items at line 1 column 6");
  EXPECT_FALSE(slicer.slice(R"({"a":1,"b":2,"c":3})"));
  EXPECT_TRUE(slicer.slice("[[1,2,3],[4,5,6]]"));
  EXPECT_TRUE(slicer.check("[1,2,3]"));
}

TEST(JsonSlicer, ReadsBigDocuments) {
  const std::string payload = join({"{\"body\":\"", repeat("0123456789abcdef \xE2\x82\xAC \\n ", 400000), "\"}"});
  const std::string text = join({"{\"list\":[", repeat("{\"a\": [1, 2]}, ", 200000), "null],\"data\":", payload, "}"});
  JsonSlicer slicer;
  const auto document = slicer.slice(text);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->find("data")->text, payload);
  const std::string many = join({"[", repeat("\"\\u0061\",", 65535), "0]"});
  const auto items = slicer.slice(many);
  ASSERT_TRUE(items);
  EXPECT_EQ(items->items.size(), 65536u);
  std::string keys = "{\"last\":0";
  for (int i = 0; i < 20000; ++i) keys += join({",\"\\u006b", std::to_string(i), "\":", std::to_string(i)});
  keys += "}";
  const auto object = slicer.slice(keys);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->find("k19999")->text, "19999");
  EXPECT_TRUE(slicer.slice("{}"));
}

TEST(JsonValues, Strings) {
  EXPECT_EQ(decode_json_string(R"("")"), "");
  EXPECT_EQ(decode_json_string(R"("room:42")"), "room:42");
  EXPECT_EQ(decode_json_string(R"("\u0041\u00e9\u20AC\uD83D\ude00\/\n\u0000z")"),
            "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80/\n\0z"s);
  EXPECT_EQ(decode_json_string(R"("\uD800\uDC00\uDBFF\uDFFF\u07ff\u0800\uffff\u007F\u0080")"),
            "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\x7F\xC2\x80");
  for (const char* raw : {"", "\"", "a", "\"a", "a\"", "\"a\"b\"", "\"\\\"", "\"\\ud800\"", "\"\n\"", "\"\xFF\"", " \"a\"",
                          "\"a\" ", "1", "null"}) {
    EXPECT_EQ(decode_json_string(raw), std::nullopt) << raw;
  }
  std::string scratch;
  const std::string_view plain = "\"plain\"";
  EXPECT_EQ(json_string(plain, scratch)->data(), plain.data() + 1);
  EXPECT_EQ(json_string(R"("a\tb")", scratch), "a\tb");
  EXPECT_EQ(scratch, "a\tb");
}

TEST(JsonValues, Numbers) {
  EXPECT_EQ(json_u64("0"), 0u);
  EXPECT_EQ(json_u64("18446744073709551615"), UINT64_MAX);
  for (const char* text :
       {"", "18446744073709551616", "-1", "-0", "01", "1.0", "1e3", "+1", " 1", "1 ", "\"1\"", "null", "0x1"}) {
    EXPECT_EQ(json_u64(text), std::nullopt) << text;
  }
  EXPECT_EQ(json_i64("-0"), 0);
  EXPECT_EQ(json_i64("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(json_i64("9223372036854775807"), INT64_MAX);
  for (const char* text : {"", "-", "9223372036854775808", "-9223372036854775809", "-01", "--1", "1.5"}) {
    EXPECT_EQ(json_i64(text), std::nullopt) << text;
  }
  EXPECT_EQ(json_double("-1.5e3"), -1500.0);
  EXPECT_EQ(json_double("0.1"), 0.1);
  EXPECT_TRUE(std::signbit(*json_double("-0")));
  EXPECT_EQ(json_double("18446744073709551616"), 18446744073709551616.0);
  for (const char* text : {"", "1e999", "1e-999", "inf", "nan", ".5", "1.", "+1", "01", "1 ", "true"}) {
    EXPECT_EQ(json_double(text), std::nullopt) << text;
  }
}

// simdjson's DOM is the judge. It also parses numbers: one beyond a double or (as a whole number) beyond 64 bits it
// refuses, where a number that is only passed on may have any size.
class JsonAgainstSimdjson : public testing::Test {
 protected:
  void compare(const std::string& text) {
    simdjson::dom::element root;
    const auto error = parser_.parse(text).get(root);
    const auto document = slicer_.slice(text);
    if (document && error == simdjson::NUMBER_ERROR) return;
    ASSERT_EQ(document.has_value(), error == simdjson::SUCCESS)
        << testing::PrintToString(text) << ": " << (document ? "accepted" : document.error().text) << ", " << error;
    if (!document) return;
    ++accepted_;
    if (document->root.type == JsonType::kObject) compare_members(*document, root);
    if (document->root.type == JsonType::kArray) {
      ASSERT_EQ(document->items.size(), simdjson::dom::array(root).size());
    }
  }

  void compare_members(const JsonDocument& document, simdjson::dom::element root) {
    std::size_t i = 0;
    for (const auto [key, value] : simdjson::dom::object(root)) {
      ASSERT_LT(i, document.members.size());
      const JsonMember& member = document.members[i++];
      ASSERT_EQ(member.key, key);
      ASSERT_EQ(member.value.type == JsonType::kString, value.is_string());
      if (value.is_string()) {
        ASSERT_EQ(decode_json_string(member.value.text), std::string_view(value));
      }
      if (value.is_uint64()) {
        ASSERT_EQ(json_u64(member.value.text).value_or(0), std::uint64_t(value));
      }
      if (value.is_double()) {
        ASSERT_EQ(json_double(member.value.text), double(value));
      }
    }
    ASSERT_EQ(i, document.members.size());
  }

  std::size_t pick(std::size_t count) { return random_() % count; }

  std::string make_value(int depth) {
    static const std::vector<std::string> kScalars = {"null",
                                                      "true",
                                                      "false",
                                                      "0",
                                                      "-1",
                                                      "12.5e-3",
                                                      "1E5",
                                                      "\"\"",
                                                      "\"a\\n\\\"b\"",
                                                      "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                                                      "\"\\ud83d\\ude00\"",
                                                      "\"a somewhat longer text, to fill several words\"",
                                                      "18446744073709551615"};
    if (depth == 0 || pick(3) == 0) return kScalars[pick(kScalars.size())];
    const bool object = pick(2) == 0;
    std::string out(1, object ? '{' : '[');
    const std::size_t count = pick(4);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out += pick(4) == 0 ? " , " : ",";
      if (object) out += pick(2) == 0 ? "\"k\\u0065y\" :" : join({"\"key", std::to_string(i), "\":"});
      out += make_value(depth - 1);
    }
    return out + (object ? "}" : "]");
  }

  std::string mutate(std::string text) {
    static const std::string kBytes = "{}[]\",:\\ \n\t/0123456789.-+eEutfnrbDd8Ca\x00\x1F\x7F\x80\xBF\xC2\xE0\xED\xF0\xF4\xFF"s;
    const std::size_t times = 1 + pick(3);
    for (std::size_t i = 0; i < times && !text.empty(); ++i) {
      const std::size_t place = pick(text.size());
      switch (pick(4)) {
        case 0: text.erase(place, 1 + pick(3)); break;
        case 1: text.insert(place, 1, kBytes[pick(kBytes.size())]); break;
        case 2: text[place] = kBytes[pick(kBytes.size())]; break;
        default: text.insert(place, text.substr(pick(text.size()), pick(12))); break;
      }
    }
    return text;
  }

  std::mt19937 random_{20240607};
  simdjson::dom::parser parser_;
  JsonSlicer slicer_{{.depth_max = 1000}};
  std::size_t accepted_ = 0;
};

TEST_F(JsonAgainstSimdjson, OnTheTables) {
  for (const std::string& text : kValid) ASSERT_NO_FATAL_FAILURE(compare(text));
  for (const std::string& text : kInvalid) ASSERT_NO_FATAL_FAILURE(compare(text));
}

TEST_F(JsonAgainstSimdjson, OnEveryShortText) {
  static const std::string kBytes = "{}[]\",:0-1.e \\u";
  for (std::size_t n = 0; n < kBytes.size() * kBytes.size() * kBytes.size() * kBytes.size(); ++n) {
    std::string text;
    for (std::size_t rest = n; rest > 0; rest /= kBytes.size()) text += kBytes[rest % kBytes.size()];
    ASSERT_NO_FATAL_FAILURE(compare(text));
  }
}

TEST_F(JsonAgainstSimdjson, OnRandomAndDamagedDocuments) {
  for (int i = 0; i < 20000; ++i) {
    const std::string text = make_value(4);
    ASSERT_NO_FATAL_FAILURE(compare(text));
    ASSERT_NO_FATAL_FAILURE(compare(mutate(text)));
  }
  EXPECT_GT(accepted_, 20000u);  // The undamaged ones,
  EXPECT_LT(accepted_, 38000u);  // and enough damage that refusing was tried.
}

TEST_F(JsonAgainstSimdjson, DiffersOnNumbersOutOfRange) {
  for (const std::string text : {"1e999", "[18446744073709551616]", "-9223372036854775809"}) {
    simdjson::dom::element root;
    EXPECT_EQ(parser_.parse(text).get(root), simdjson::NUMBER_ERROR) << text;
    EXPECT_TRUE(accepts(text)) << text;
  }
}

}  // namespace
}  // namespace carillon
