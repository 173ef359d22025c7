#include "transport/origins.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(Origins, WithoutAListPagesOfTheSameHost) {
  const Origins origins({}, false);
  EXPECT_TRUE(origins.may_use("", "h:80"));
  EXPECT_TRUE(origins.may_use("http://h:8080", "h:8080"));
  EXPECT_TRUE(origins.may_use("https://h", "h"));  // Behind a proxy that speaks TLS.
  for (const char* foreign : {"http://h", "http://h:8081", "http://evil.example", "null", "file://", "h:8080", "http://",
                              "http://h:8080.evil.example", "http://localhost"}) {
    EXPECT_FALSE(origins.may_use(foreign, "h:8080")) << foreign;
  }
  EXPECT_FALSE(origins.may_use("null", ""));
  EXPECT_FALSE(origins.may_use("http://", ""));
}

TEST(Origins, InDevelopmentPagesOfThisMachine) {
  const Origins origins({}, true);
  for (const char* own : {"http://localhost:3000", "http://127.0.0.1", "https://[::1]:5173", "http://localhost"}) {
    EXPECT_TRUE(origins.may_use(own, "127.0.0.1:8080")) << own;
  }
  for (const char* foreign : {"http://localhost.evil.example", "http://evil.example", "null", "http://127.0.0.1.evil.example",
                              "http://[::1", "http://[::1].evil.example", "localhost"}) {
    EXPECT_FALSE(origins.may_use(foreign, "127.0.0.1:8080")) << foreign;
  }
}

TEST(Origins, AListIsAllThereIs) {
  const Origins origins({"https://app.example", "null"}, true);
  EXPECT_TRUE(origins.may_use("https://app.example", "h"));
  EXPECT_TRUE(origins.may_use("null", "h"));
  EXPECT_TRUE(origins.may_use("", "h"));
  for (const char* foreign : {"http://app.example", "https://app.example:444", "http://h", "http://localhost"}) {
    EXPECT_FALSE(origins.may_use(foreign, "h")) << foreign;
  }
  EXPECT_TRUE(Origins({"*"}, false).may_use("null", "h"));
}

}  // namespace
}  // namespace carillon
