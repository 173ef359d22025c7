#include "wire/http/http_message.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(HttpHeaders, ComparesNamesWithoutRegardToCase) {
  HttpHeaders headers;
  headers.add("Accept", "a");
  headers.add("X", "b");
  headers.add("accept", "c");
  EXPECT_EQ(headers.get("ACCEPT"), "a");
  EXPECT_EQ(headers.count("Accept"), 2u);
  EXPECT_FALSE(headers.has("Accept2"));
  headers.set("ACCEPT", "d");
  headers.set("Y", "e");
  const std::vector<HttpHeaders::Field> expected = {{"Accept", "d"}, {"X", "b"}, {"Y", "e"}};
  EXPECT_EQ(headers.fields().copy(), expected);
}

TEST(HttpHeaders, HoldWhatIsEmptyOrLongOrWasThere) {
  HttpHeaders headers;
  EXPECT_EQ(headers.fields().size(), 0u);
  const std::string long_value(70'000, 'v');
  headers.add("Empty", "");
  headers.add("Long", long_value);
  headers.add("Last", "1");
  EXPECT_EQ(headers.fields().size(), 3u);
  EXPECT_EQ(headers.find("empty"), "");
  EXPECT_EQ(headers.get("long"), long_value);
  EXPECT_EQ(headers.get("Last"), "1");
  headers.set("Last", headers.get("Long"));
  headers.set("Long", "short");
  EXPECT_EQ(headers.get("last"), long_value);
  EXPECT_EQ(headers.get("Long"), "short");
  headers.clear(0);
  EXPECT_EQ(headers.fields().size(), 0u);
  EXPECT_FALSE(headers.has("Last"));
}

TEST(HttpHeaders, FindsTokensInLists) {
  HttpHeaders headers;
  headers.add("Connection", "a ,\tUpgrade");
  headers.add("Connection", "Close");
  EXPECT_TRUE(headers.has_token("connection", "upgrade"));
  EXPECT_TRUE(headers.has_token("connection", "close"));
  EXPECT_FALSE(headers.has_token("connection", "up"));
  EXPECT_FALSE(headers.has_token("upgrade", "upgrade"));
}

TEST(HttpRequest, DecodesItsQuery) {
  HttpRequest request;
  request.query = "channel=room%3A42&a+b=c+d&channel=x%2By&&flag&bad=%4&bad2=%zz&=e";
  EXPECT_EQ(request.query_value("channel"), "room:42");
  EXPECT_EQ(request.query_values("channel"), (std::vector<std::string>{"room:42", "x+y"}));
  EXPECT_EQ(request.query_value("a b"), "c d");
  EXPECT_EQ(request.query_value("flag"), "");
  EXPECT_EQ(request.query_value("bad"), "%4");
  EXPECT_EQ(request.query_value("bad2"), "%zz");
  EXPECT_EQ(request.query_value("none"), std::nullopt);
  EXPECT_TRUE(request.query_values("none").empty());
}

TEST(HttpResponse, WritesErrorsAsJson) {
  const HttpResponse response = HttpResponse::error(400, "invalid", "a \"b\" \\ \x01");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.headers.get("content-type"), "application/json");
  EXPECT_EQ(response.body, R"({"error":{"code":"invalid","message":"a \"b\" \\ \u0001"}})");
}

}  // namespace
}  // namespace carillon
