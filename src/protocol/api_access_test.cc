#include "protocol/api_access.h"

#include <gtest/gtest.h>

#include "protocol/exchange_double.h"
#include "protocol/http_error.h"

namespace carillon {
namespace {

std::string verdict(const ApiAccess& access, bool loopback, std::vector<HttpHeaders::Field> headers) {
  HttpRequest request;
  for (auto& [name, value] : headers) request.headers.add(name, value);
  const ExchangeDouble exchange(request, {.text = "x", .loopback = loopback}, {}, std::make_shared<AnswerDouble>());
  const Result<void> checked = access.check(exchange);
  return checked ? "allowed" : error_kind_name(checked.error().kind);
}

TEST(ApiAccess, WithAKeyOnlyTheKeyCounts) {
  const ApiAccess access("s3cret");
  EXPECT_EQ(verdict(access, false, {{"Authorization", "Bearer s3cret"}}), "allowed");
  EXPECT_EQ(verdict(access, false, {{"authorization", "bearer  s3cret "}, {"Host", "hub.example.com"}}), "allowed");
  EXPECT_EQ(verdict(access, true, {}), "unauthorized");
  for (const char* wrong : {"Bearer s3creT", "Bearer s3cre", "Bearer s3crett", "Bearer ", "Bearer", "Basic s3cret", "s3cret"}) {
    EXPECT_EQ(verdict(access, true, {{"Authorization", wrong}}), "unauthorized") << wrong;
  }
}

TEST(ApiAccess, WithoutAKeyOnlyThisMachineIsAnswered) {
  const ApiAccess access;
  EXPECT_EQ(verdict(access, true, {}), "allowed");
  EXPECT_EQ(verdict(access, false, {}), "forbidden");
  EXPECT_EQ(verdict(access, false, {{"Authorization", "Bearer "}}), "forbidden");
  EXPECT_EQ(verdict(access, true, {{"X-Forwarded-For", "203.0.113.9"}}), "forbidden");
  EXPECT_EQ(verdict(access, true, {{"Forwarded", "for=203.0.113.9"}}), "forbidden");
}

TEST(ApiAccess, WithoutAKeyTheHostMustNameThisMachine) {
  const ApiAccess access;
  for (const char* host : {"localhost", "LOCALHOST:8080", "app.localhost", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"}) {
    EXPECT_EQ(verdict(access, true, {{"Host", host}}), "allowed") << host;
  }
  for (const char* host : {"example.com", "127.example.com", "localhost.example.com", "xlocalhost", "[::2]:8080", "10.0.0.1"}) {
    EXPECT_EQ(verdict(access, true, {{"Host", host}}), "forbidden") << host;
  }
}

TEST(ApiAccess, WithoutAKeyPagesFromElsewhereAreRefused) {
  EXPECT_EQ(verdict(ApiAccess(), true, {{"Origin", "http://localhost:3000"}}), "allowed");
  for (const char* origin : {"https://example.com", "null", "", "http://localhost.example.com"}) {
    EXPECT_EQ(verdict(ApiAccess(), true, {{"Origin", origin}}), "forbidden") << origin;
  }
  const ApiAccess listed("", {"https://app.example.com"});
  EXPECT_EQ(verdict(listed, true, {{"Origin", "https://app.example.com"}}), "allowed");
  EXPECT_EQ(verdict(listed, true, {{"Origin", "https://app.example.com.evil"}}), "forbidden");
  EXPECT_EQ(verdict(ApiAccess("", {"*"}), true, {{"Origin", "https://example.com"}}), "allowed");
}

TEST(HttpError, AnUnknownAskerIsToldHowToIdentify) {
  const HttpResponse response = error_response({ErrorKind::kUnauthorized, "who \"are\" \xff you"});
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.headers.get("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(response.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(response.body, "{\"error\":{\"code\":\"unauthorized\",\"message\":\"who \\\"are\\\" \xEF\xBF\xBD you\"}}");
  EXPECT_EQ(error_response({ErrorKind::kUnavailable, ""}).headers.get("Retry-After"), "1");
  EXPECT_EQ(http_status(ErrorKind::kTooLarge), 413);
  EXPECT_EQ(http_status(ErrorKind::kInternal), 500);
}

}  // namespace
}  // namespace carillon
