#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carillon {
namespace {

std::string encoded(std::uint32_t code) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xC0 | code >> 6), byte(0x80 | (code & 63))};
  if (code < 0x10000) return {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63))};
  return {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63))};
}

TEST(Utf8, EveryCodePointIsValidButForSurrogates) {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    ASSERT_EQ(is_utf8(encoded(code)), !surrogate) << std::hex << code;
  }
  EXPECT_FALSE(is_utf8(encoded(0x110000)));
}

TEST(Utf8, RefusesWhatIsNoSequence) {
  const std::vector<std::string> wrong = {
      "\x80",                      // A continuation alone.
      "\xBF",                      //
      "\xC0\x80",                  // Overlong NUL.
      "\xC1\xBF",                  // Overlong.
      "\xE0\x80\x80",              // Overlong in three bytes.
      "\xE0\x9F\xBF",              //
      "\xED\xA0\x80",              // The first surrogate.
      "\xED\xBF\xBF",              // The last.
      "\xF0\x80\x80\x80",          // Overlong in four.
      "\xF0\x8F\xBF\xBF",          //
      "\xF4\x90\x80\x80",          // Above U+10FFFF.
      "\xF5\x80\x80\x80",          // Leads that no longer exist.
      "\xF8\x88\x80\x80\x80",      //
      "\xFC\x84\x80\x80\x80\x80",  //
      "\xFE",                      //
      "\xFF",                      //
      "\xC3\x28",                  // A lead and no continuation.
      "\xE2\x28\xA1",              //
      "\xE2\x82\x28",              //
      "\xF0\x28\x8C\xBC",          //
      "\xF0\x90\x28\xBC",          //
      "\xF0\x90\x8C\x28",          //
      "\xC3\xA9\xA9",              // One continuation too many.
  };
  for (const std::string& text : wrong) {
    for (const char* before : {"", "1234567", "12345678", "123456789"}) {
      EXPECT_FALSE(is_utf8(before + text + "12345678")) << testing::PrintToString(text);
    }
  }
}

TEST(Utf8, ACutSequenceIsIncompleteNotWrong) {
  for (const std::uint32_t code : {0xE9u, 0x20ACu, 0x1F514u, 0x10FFFFu}) {
    const std::string text = encoded(code);
    for (std::size_t size = 1; size < text.size(); ++size) {
      Utf8Checker checker;
      EXPECT_TRUE(checker.feed(std::string_view(text).substr(0, size)));
      EXPECT_FALSE(checker.complete());
      EXPECT_FALSE(is_utf8(std::string_view(text).substr(0, size)));
    }
  }
}

TEST(Utf8, EveryCutOfEveryTextGivesTheSameAnswer) {
  const std::vector<std::string> texts = {"plain ascii, long enough for the fast way through",
                                          "\xF0\x9F\x94\x94 bells \xC3\xA9\xE2\x82\xAC",
                                          "abcdefg\xED\xA0\x80h",
                                          "12345678\xF4\x8F\xBF\xBF",
                                          "\xE2\x82",
                                          "\xC3\xA9\xFF"};
  for (const std::string& text : texts) {
    const bool whole = is_utf8(text);
    for (std::size_t first = 0; first <= text.size(); ++first) {
      for (std::size_t second = first; second <= text.size(); ++second) {
        const std::string_view view = text;
        Utf8Checker checker;
        const bool fed = checker.feed(view.substr(0, first)) && checker.feed(view.substr(first, second - first)) &&
                         checker.feed(view.substr(second));
        ASSERT_EQ(fed && checker.complete(), whole) << testing::PrintToString(text) << first << " " << second;
      }
    }
  }
}

TEST(Utf8, WritesEveryCodePoint) {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    std::string text = "before ";
    append_utf8(text, code);
    ASSERT_EQ(text, "before " + encoded(code)) << std::hex << code;
  }
}

TEST(ReadableUtf8, WhatIsNoCharacterBecomesOneReplacement) {
  EXPECT_EQ(readable_utf8(""), "");
  EXPECT_EQ(readable_utf8("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"), "a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(readable_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(readable_utf8("\xE2\x82z"), "\xEF\xBF\xBDz");  // Cut off: one for both bytes.
  EXPECT_EQ(readable_utf8("\xE2\x82"), "\xEF\xBF\xBD");
  EXPECT_EQ(readable_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // A surrogate.
}

}  // namespace
}  // namespace carillon
