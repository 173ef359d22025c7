#include "transport/router.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

// Which route answers, by number of adding, and with what values.
class RouterTest : public ::testing::Test {
 protected:
  void add(std::string_view method, std::string_view path) {
    const std::string name = std::string(method) + ' ' + std::string(path);
    router.add(method, path, [this, name](ExchangePtr) { answered = name; });
  }
  // `path` is the target, decoded.
  std::string match(std::string_view method, std::string_view target, std::string_view path) {
    Router::Match found = router.match(method, target, path);
    if (found.handler == nullptr) return found.allowed.empty() ? "nothing" : "allowed: " + found.allowed;
    (*found.handler)(nullptr);
    for (const auto& [name, value] : found.values) answered += ' ' + name + '=' + value;
    return answered;
  }
  std::string match(std::string_view method, std::string_view target) { return match(method, target, target); }

  Router router;
  std::string answered;
};

TEST_F(RouterTest, LiteralSegmentsBeatNamedOnesWhateverCameFirst) {
  add("GET", "/{rest...}");
  add("GET", "/a/{x}");
  add("GET", "/{x}/b");
  add("GET", "/a/b");
  add("GET", "/a/b/c");
  add("GET", "/a/{x}/c");
  EXPECT_EQ(match("GET", "/a/b"), "GET /a/b");
  EXPECT_EQ(match("GET", "/a/z"), "GET /a/{x} x=z");
  EXPECT_EQ(match("GET", "/z/b"), "GET /{x}/b x=z");
  EXPECT_EQ(match("GET", "/z/z"), "GET /{rest...} rest=z/z");
  EXPECT_EQ(match("GET", "/a/b/c"), "GET /a/b/c");
  EXPECT_EQ(match("GET", "/a/z/c"), "GET /a/{x}/c x=z");
  EXPECT_EQ(match("GET", "/a/"), "GET /{rest...} rest=a/");
}

TEST_F(RouterTest, AnEscapedSlashIsPartOfItsSegment) {
  add("GET", "/channels/{name}/history");
  add("GET", "/api/events");
  EXPECT_EQ(match("GET", "/channels/repo:a%2Fb/history", "/channels/repo:a/b/history"),
            "GET /channels/{name}/history name=repo:a/b");
  EXPECT_EQ(match("GET", "/channels/repo:a/b/history"), "nothing");
  EXPECT_EQ(match("GET", "http://h/channels/a%2fb/history?x=1/2", "/channels/a/b/history"),
            "GET /channels/{name}/history name=a/b");
  EXPECT_EQ(match("GET", "/api%2Fevents", "/api/events"), "nothing");
  EXPECT_EQ(match("GET", "/%61pi/events", "/api/events"), "GET /api/events");
  EXPECT_EQ(match("GET", "/api/events?channel=a%2Fb", "/api/events"), "GET /api/events");
}

TEST_F(RouterTest, ANameMayLookLikeARoute) {
  add("GET", "/channels/{name}");
  EXPECT_EQ(match("GET", "/channels/{name}"), "GET /channels/{name} name={name}");
  EXPECT_EQ(match("GET", "/channels/%7Bname%7D", "/channels/{name}"), "GET /channels/{name} name={name}");
  EXPECT_EQ(match("GET", "/channels/"), "nothing");
  EXPECT_EQ(match("GET", "/channels"), "nothing");
}

TEST_F(RouterTest, RestTakesAllThatFollows) {
  add("GET", "/files/{path...}");
  EXPECT_EQ(match("GET", "/files/a/b/c"), "GET /files/{path...} path=a/b/c");
  EXPECT_EQ(match("GET", "/files/a%2Fb/c", "/files/a/b/c"), "GET /files/{path...} path=a/b/c");
  EXPECT_EQ(match("GET", "/files"), "nothing");
}

TEST_F(RouterTest, MethodsThatAreTakenAreTold) {
  add("GET", "/a");
  add("PUT", "/a");
  add("DELETE", "/{x}");
  add("*", "/any");
  EXPECT_EQ(match("HEAD", "/a"), "GET /a");
  EXPECT_EQ(match("DELETE", "/a"), "DELETE /{x} x=a");
  EXPECT_EQ(match("POST", "/a"), "allowed: GET, HEAD, PUT, DELETE");
  EXPECT_EQ(match("BREW", "/any"), "* /any");
  EXPECT_EQ(match("OPTIONS", "*"), "nothing");
  EXPECT_EQ(router.descriptions().size(), 4u);
}

}  // namespace
}  // namespace carillon
