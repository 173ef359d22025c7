#include "client/infotainer_talk.h"

#include <gtest/gtest.h>

#include "wire/cbor/cbor_notation.h"

namespace carillon {
namespace {

const std::string kA = "00112233-4455-6677-8899-aabbccddeeff";
const std::string kAHex = "00112233445566778899aabbccddeeff";
const std::string kBHex = "ffeeddccbbaa99887766554433221100";

std::string said(std::string_view line) {
  const Result<std::string> message = infotainer_command(line);
  return message ? to_hex(*message) : message.error().text;
}

TEST(InfotainerTalkTest, LinesAreTheCommandsOfTheOriginal) {
  EXPECT_EQ(said("Subscribe " + kA), "a169537562736372696265a16f737562736372697074696f6e5f696450" + kAHex);
  EXPECT_EQ(said("  Unsubscribe\t" + kA + " "), "a16b556e737562736372696265a16f737562736372697074696f6e5f696450" + kAHex);
  EXPECT_EQ(said("PublishText " + kA + " H i"), "a1715375626d69745075626c69636174696f6ea26f737562736372697074696f6e5f696450" +
                                                    kAHex +
                                                    "6a7375626d697373696f6e831848182018"
                                                    "69");
  EXPECT_EQ(said("PublishText " + kA),
            "a1715375626d69745075626c69636174696f6ea26f737562736372697074696f6e5f696450" + kAHex + "6a7375626d697373696f6e80");
}

TEST(InfotainerTalkTest, WhatIsNoCommandIsSaid) {
  EXPECT_EQ(said(""), "Missing command");
  EXPECT_EQ(said("   "), "Missing command");
  EXPECT_EQ(said("Publish " + kA), "Invalid command");
  EXPECT_EQ(said("Subscribe"), "Missing log id parameter");
  EXPECT_EQ(said("Subscribe nonsense"), "Invalid Input: `nonsense` is no UUID");
}

TEST(InfotainerTalkTest, AnIssueIsAnsweredByAskingForIt) {
  const InfotainerHeard heard = infotainer_heard(from_hex("a16549737375658250" + kAHex + "50" + kBHex));
  EXPECT_EQ(heard.print, "");
  EXPECT_EQ(to_hex(heard.answer), "a16d4765744c6f67456e7472696573a2666c6f675f696450" + kAHex + "67656e74726965738150" + kBHex);
}

TEST(InfotainerTalkTest, PublicationsArePrintedAsTextWhateverTheyHold) {
  const auto entry = [](const std::string& data) {
    return infotainer_heard(from_hex("a1684c6f67456e74727981a36e7075626c69636174696f6e5f696450" + kBHex +
                                     "6f737562736372697074696f6e5f696450" + kAHex + "6464617461" + data))
        .print;
  };
  const std::string head = "Received publication ffeeddcc-bbaa-9988-7766-554433221100 for Subscription " + kA + ":\n";
  EXPECT_EQ(entry("8218481869"), head + "Hi\n");
  EXPECT_EQ(entry("84184818ff18c318bc"), head + "H\xEF\xBF\xBD\xC3\xBC\n");
  EXPECT_EQ(entry("80"), head + "\n");
  EXPECT_EQ(infotainer_heard(from_hex("a1684c6f67496e6465788250" + kAHex + "8150" + kBHex)).print,
            "Log " + kA + ":\n  ffeeddcc-bbaa-9988-7766-554433221100\n");
}

TEST(InfotainerTalkTest, AnythingElseIsAFault) {
  for (const std::string& message :
       {std::string("missing field `x`"), from_hex("a16549737375658150" + kAHex), from_hex("a1"),
        from_hex("a1684c6f67456e74727981a0"), from_hex("a1684c6f67456e747279818118ff"), std::string("\xff")}) {
    const InfotainerHeard heard = infotainer_heard(message);
    EXPECT_TRUE(heard.fault);
    EXPECT_NE(heard.print, "");
    EXPECT_EQ(heard.answer, "");
  }
}

}  // namespace
}  // namespace carillon
