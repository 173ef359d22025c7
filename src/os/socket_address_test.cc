#include "os/socket_address.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

std::string round_trip(std::string_view text) {
  const Result<SocketAddress> address = parse_address(text);
  return address ? describe_address(address->storage).text : address.error().text;
}

TEST(SocketAddress, TextAndBack) {
  for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:443", "[2001:db8::1]:65535"})
    EXPECT_EQ(round_trip(text), text);
  EXPECT_EQ(round_trip(":80"), "0.0.0.0:80");
  EXPECT_EQ(round_trip("[0:0:0:0:0:0:0:1]:80"), "[::1]:80");
}

TEST(SocketAddress, WhatIsNoAddressIsToldWhy) {
  for (const char* text :
       {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:80x",
        "127.0.0.1:99999999999999999999", "::1:80", "[::1:80", "[::1]", "[]:80", "[nonsense]:80", "256.0.0.1.invalid:80"}) {
    const Result<SocketAddress> address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(address.error().text.find("write HOST:PORT"), std::string::npos) << address.error().text;
  }
}

TEST(SocketAddress, ThisMachineIsKnown) {
  const auto loopback = [](std::string_view text) { return describe_address(parse_address(text)->storage).loopback; };
  EXPECT_TRUE(loopback("127.0.0.1:1"));
  EXPECT_TRUE(loopback("127.255.255.254:1"));
  EXPECT_TRUE(loopback("[::1]:1"));
  EXPECT_TRUE(loopback("[::ffff:127.0.0.1]:1"));
  EXPECT_FALSE(loopback("[::ffff:128.0.0.1]:1"));
  EXPECT_FALSE(loopback("128.0.0.1:1"));
  EXPECT_FALSE(loopback("0.0.0.0:1"));
  EXPECT_FALSE(loopback("[::]:1"));
  EXPECT_EQ(describe_address(sockaddr_storage{}).text, "");
}

}  // namespace
}  // namespace carillon
