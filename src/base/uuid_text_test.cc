#include "base/uuid_text.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

constexpr const char* kText = "00112233-4455-6677-8899-aabbccddeeff";

TEST(UuidTextTest, EveryFormIsTheSameId) {
  for (const char* const text : {kText, "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff",
                                 "{00112233-4455-6677-8899-aabbccddeeff}", "{00112233445566778899aabbccddeeff}",
                                 "urn:uuid:00112233-4455-6677-8899-aabbccddeeff"}) {
    const auto id = parse_uuid(text);
    ASSERT_TRUE(id) << text;
    EXPECT_EQ(id->text(), kText);
  }
}

TEST(UuidTextTest, WhatIsNoIdIsRefused) {
  for (const char* const text :
       {"", "{}", "{", "urn:uuid:", "urn:uuid:00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeefff", "00112233-4455-6677-8899-aabbccddeefg", "0011223344556677-8899-aabbccdd-eeff",
        "001122334455-6677-8899-aabbccddeeff00", "{00112233-4455-6677-8899-aabbccddeeff", "00112233445566778899aabbccddee-f",
        "00112233_4455_6677_8899_aabbccddeeff"}) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

}  // namespace
}  // namespace carillon
