#include "protocol/identify.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

HttpRequest request(std::string query, std::string authorization = {}) {
  HttpRequest made;
  made.query = std::move(query);
  if (!authorization.empty()) made.headers.add("Authorization", authorization);
  return made;
}

TEST(ShownToken, IsLookedForInOrder) {
  const HttpRequest both = request("token=q", "Bearer h");
  EXPECT_EQ(shown_token(both, "own").text, "own");
  EXPECT_EQ(shown_token(both).text, "h");
  EXPECT_FALSE(shown_token(both).in_query);
  EXPECT_EQ(shown_token(request("v=2&token=q.%2Bx")).text, "q.+x");
  EXPECT_TRUE(shown_token(request("token=q")).in_query);
  EXPECT_EQ(shown_token(request("access_token=a")).text, "a");
  EXPECT_EQ(shown_token(request("token=&access_token=a")).text, "a");
  EXPECT_EQ(shown_token(request("", "bearer  h ")).text, "h");
  for (const char* authorization : {"", "Basic h", "Bearer", "Bearer ", "Bearerh"}) {
    EXPECT_EQ(shown_token(request("", authorization)).text, "") << authorization;
  }
}

TEST(RefusedIdentity, SaysWhetherATokenWasShown) {
  const Error expired{ErrorKind::kUnauthorized, "the token expired 12 s ago"};
  const HttpResponse shown = refused_identity(expired, request("token=x"));
  EXPECT_EQ(shown.status, 401);
  EXPECT_EQ(shown.headers.get("WWW-Authenticate"), R"(Bearer error="invalid_token")");
  EXPECT_EQ(shown.headers.count("WWW-Authenticate"), 1u);
  EXPECT_EQ(shown.body, R"({"error":{"code":"unauthorized","message":"the token expired 12 s ago"}})");
  EXPECT_EQ(refused_identity(expired, request(""), "own").headers.get("WWW-Authenticate"), R"(Bearer error="invalid_token")");
  EXPECT_EQ(refused_identity(expired, request("")).headers.get("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(refused_identity({ErrorKind::kInvalid, ""}, request("token=x")).status, 400);
}

}  // namespace
}  // namespace carillon
