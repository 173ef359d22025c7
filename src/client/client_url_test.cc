#include "client/client_url.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(ClientUrl, TakesTheUsualOnesApart) {
  const auto plain = parse_client_url("http://127.0.0.1:8080");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, 8080);
  EXPECT_EQ(plain->base_path, "");
  EXPECT_EQ(plain->authority(), "127.0.0.1:8080");

  const auto below = parse_client_url("ws://hub.example.com/live/hub/");
  ASSERT_TRUE(below);
  EXPECT_EQ(below->host, "hub.example.com");
  EXPECT_EQ(below->port, 80);
  EXPECT_EQ(below->base_path, "/live/hub");

  const auto v6 = parse_client_url("http://[::1]:9/");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 9);
  EXPECT_EQ(v6->base_path, "");
  EXPECT_EQ(v6->authority(), "[::1]:9");
}

TEST(ClientUrl, RefusesTheRestWithAReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "has no http://"},
      {"127.0.0.1:8080", "has no http://"},
      {"https://x", "TLS"},
      {"wss://x", "TLS"},
      {"ftp://x", "neither"},
      {"http://", "names no host"},
      {"http://:80", "names no host"},
      {"http://user@x", "names no host"},
      {"http://x:0", "no port from"},
      {"http://x:65536", "names no host"},
      {"http://x:8o", "names no host"},
      {"http://x/a?b", "a query"},
      {"http://x/a#b", "a query"},
      {"http://x/a b", "no path may"},
      {"http://x/a\r\nEvil: 1", "no path may"},
  };
  for (const auto& [text, why] : cases) {
    const auto url = parse_client_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_NE(url.error().text.find(why), std::string::npos) << url.error().text;
  }
}

TEST(PercentEncoding, LeavesOnlyWhatNeedsNone) {
  EXPECT_EQ(percent_encoded("repo:alice/app"), "repo%3Aalice%2Fapp");
  EXPECT_EQ(percent_encoded("a-b_c.d~e9"), "a-b_c.d~e9");
  EXPECT_EQ(percent_encoded("\xC3\xBC %?"), "%C3%BC%20%25%3F");
}

}  // namespace
}  // namespace carillon
