#include "feature/api/api_room.h"

#include <gtest/gtest.h>

#include "protocol/topic_json.h"

#include <random>
#include <thread>

#include "base/manual_loop.h"
#include "engine/memory/memory_engine.h"
#include "feature/api/openapi_document.h"
#include "hub/engine_double.h"
#include "hub/epoch_text.h"
#include "hub/session_text.h"
#include "hub/shard.h"
#include "protocol/exchange_double.h"
#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

class FixedClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return 1'700'000'060'500; }
};

class SeededRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(bits_());
  }

 private:
  std::mt19937 bits_{7};
};

class ClosedRooms final : public Policy {
 public:
  Result<void> may_subscribe(const Identity&, const Selector&) const override { return {}; }
  Result<void> may_publish(const Identity& identity, std::string_view channel) const override {
    EXPECT_TRUE(identity.trusted || identity.verified);
    const bool theirs = channel == "user:" + identity.user || channel.starts_with("log:");
    if (!identity.trusted && !theirs) return Error{ErrorKind::kForbidden, "not theirs"};
    if (channel.starts_with("closed:")) return Error{ErrorKind::kForbidden, "closed"};
    return {};
  }
  Result<void> may_read_history(const Identity& identity, std::string_view channel) const override {
    return may_publish(identity, channel);
  }
  Result<void> may_see_presence(const Identity& identity, std::string_view channel) const override {
    if (channel == "room") return {};
    return may_publish(identity, channel);
  }
};

// Holds completions back when asked to, and completes on another thread.
class LateEngine final : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;

  void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) override {
    if (!late) return inner_.publish(std::move(draft), std::move(done));
    inner_.publish(std::move(draft), [this, done = std::move(done)](Result<Receipt> outcome) mutable {
      held_.push_back([done = std::move(done), outcome = std::move(outcome)]() mutable { done(std::move(outcome)); });
    });
  }
  void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) override {
    if (broken) return done(Error{ErrorKind::kUnavailable, "the store is away"});
    inner_.history(std::move(query), std::move(done));
  }
  void complete_in_reverse() {
    std::thread([this] {
      for (; !held_.empty(); held_.pop_back()) held_.back()();
    }).join();
  }

  bool late = false;
  bool broken = false;

 private:
  std::vector<Task> held_;
};

class NoEncoding final : public Encoding {
 public:
  void encode(const Publication&, std::string& out) const override { out += '.'; }
};

class Client final : public SessionClient {
 public:
  explicit Client(Shard& shard, std::string user = {})
      : session(
            shard, *this,
            {.protocol = "native",
             .encoding = &encoding_,
             .identity = user.empty() ? nullptr : std::make_shared<const Identity>(Identity{.user = user, .verified = true}),
             .user_agent = "test/1"}) {}

  void on_outbox() override {}
  void on_subscribed(Ticket, const Result<Subscribed>&) override {}
  void on_published(Ticket, const Result<Receipt>&) override {}
  void on_history(Ticket, const Result<HistoryPage>&) override {}
  void on_gap(std::span<const Gap>) override {}
  void on_announcement(const Bytes& text) override { heard = text.view(); }
  void on_end_wanted(EndReason, std::string_view text) override {
    farewell = text;
    session.end(EndReason::kDisconnected);
  }
  void on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) override {
    unsubscribed = (crash ? "!" : "") + std::string(channel) + ' ' + std::string(reason);
  }
  std::string peer_text() const override { return "127.0.0.1:40001"; }

  std::string unsubscribed;
  std::string heard;
  std::string farewell;

 private:
  NoEncoding encoding_;

 public:
  Session session;
};

// As a server with secrets for tokens: "token-alice" is one, everything else that is shown is none.
Result<IdentityPtr> identify_user(const Exchange& exchange, std::string_view token) {
  const ShownToken shown = shown_token(exchange.request(), token);
  if (shown.text.empty()) return IdentityPtr();
  constexpr std::string_view kPrefix = "token-";
  if (!shown.text.starts_with(kPrefix)) return Error{ErrorKind::kUnauthorized, "the token is malformed"};
  return std::make_shared<const Identity>(Identity{
      .user = shown.text.substr(kPrefix.size()), .verified = true, .claims = std::make_shared<const std::string>("{}")});
}

struct Reply {
  int status = 0;
  std::string body;
};

class ApiRoomTest : public testing::Test {
 protected:
  ApiRoomTest() { room_.add_routes(routes_); }

  Reply ask(std::string_view method, std::string_view target, std::string body = {},
            std::vector<HttpHeaders::Field> headers = {}) {
    const auto answer = routes_.ask(method, "/api" + std::string(target), std::move(body), std::move(headers));
    loop_.settle();
    if (!answer->response) return {.status = answer->dropped ? -1 : 0, .body = ""};
    return {answer->response->status, answer->response->body};
  }
  Reply publish(std::string_view channel, std::string_view data = "1") {
    return ask("POST", "/publish",
               R"({"channel":")" + std::string(channel) + R"(","event":"e","data":)" + std::string(data) + "}");
  }
  // The raw JSON of one field of an object; empty when it is not there.
  static std::string field(const std::string& json, std::string_view name) {
    JsonSlicer slicer;
    const Result<JsonDocument> document = slicer.slice(json);
    if (!document) {
      ADD_FAILURE() << document.error().text << ": " << json;
      return {};
    }
    const JsonSpan* const found = document->find(name);
    return found == nullptr ? std::string() : std::string(found->text);
  }
  static std::string text_field(const std::string& json, std::string_view name) {
    return decode_json_string(field(json, name)).value_or("");
  }
  std::string position(std::string_view channel) {
    const std::string body = ask("GET", "/channels/" + std::string(channel)).body;
    return text_field(body, "epoch") + ":" + field(body, "offset");
  }

  ManualLoop loop_;
  FixedClock clock_;
  SeededRandom random_;
  MemoryEngine memory_{clock_, random_, {.rule_for = [](std::string_view channel) {
                         return HistoryRule{.count_max = channel.starts_with("brief:") ? 0u : 5u};
                       }}};
  LateEngine engine_{memory_};
  ClosedRooms policy_;
  Hub hub_{engine_, clock_, policy_, HubOptions{}};
  Shard& shard_ = hub_.add_shard(loop_);
  ApiAccess access_;
  DurableSubscriptions subscriptions_{memory_.state(), clock_};
  TopicDirectory topics_{hub_, subscriptions_, topic_change_json};
  ApiRoom room_{hub_,
                loop_,
                access_,
                identify_user,
                {.directory = topics_, .subscriptions = subscriptions_, .random = random_},
                {.publish = {.payload_bytes_max = 1024, .batch_max = 4},
                 .history_page_max = 4,
                 .history_bytes_max = 2000,
                 .list_page_max = 3},
                {.version = "1.2.3",
                 .started_unix_ms = 1'700'000'000'000,
                 .loops = 1,
                 .engine = "memory",
                 .protocols = {{"native", "/ws"}},
                 .limits = {}}};
  RoutesDouble routes_;
};

TEST_F(ApiRoomTest, PublishAnswersWithThePositionAndTheId) {
  const Reply reply = publish("room:42", R"({"a": 1})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(field(reply.body, "channel"), R"("room:42")");
  EXPECT_TRUE(parse_epoch(text_field(reply.body, "epoch")));
  EXPECT_EQ(field(reply.body, "offset"), "1");
  EXPECT_EQ(text_field(reply.body, "id").size(), Uuid::kTextSize);
  EXPECT_EQ(field(reply.body, "repeated"), "");
  EXPECT_EQ(field(publish("room:42").body, "offset"), "2");
}

TEST_F(ApiRoomTest, WithoutHistoryThereIsNoPosition) {
  const Reply reply = publish("brief:1");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(field(reply.body, "epoch"), "");
  EXPECT_EQ(field(reply.body, "offset"), "");
  EXPECT_EQ(text_field(reply.body, "id").size(), Uuid::kTextSize);
}

TEST_F(ApiRoomTest, ARepeatedKeyAnswersTheFirstReceipt) {
  const std::string body = R"({"channel":"a","event":"e","data":1,"idempotency_key":"once"})";
  const Reply first = ask("POST", "/publish", body);
  const Reply second = ask("POST", "/publish", body);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(field(second.body, "id"), field(first.body, "id"));
  EXPECT_EQ(field(second.body, "offset"), "1");
  EXPECT_EQ(field(second.body, "repeated"), "true");
}

TEST_F(ApiRoomTest, BadBodiesGetClearErrors) {
  EXPECT_EQ(ask("POST", "/publish", "{\"channel\":}").status, 400);
  EXPECT_EQ(ask("POST", "/publish", "{\"channel\":}").body,
            R"({"error":{"code":"invalid","message":"invalid JSON: expected value at line 1 column 12"}})");
  EXPECT_EQ(publish("room:1", '"' + std::string(1023, 'x') + '"').status, 413);
  EXPECT_EQ(ask("POST", "/publish", "{}", {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(ask("POST", "/publish", "{}", {{"Content-Type", "application/json; charset=utf-8"}}).status, 400);
  EXPECT_EQ(ask("POST", "/publish", "{}", {{"Content-Type", "application/cloudevents+JSON"}}).status, 400);
}

TEST_F(ApiRoomTest, ThePolicyIsAsked) {
  EXPECT_EQ(publish("closed:1").status, 403);
  EXPECT_EQ(ask("GET", "/channels/closed:1/history").status, 403);
  const Reply batch = ask("POST", "/broadcast", R"({"channels":["closed:1","open"],"event":"e","data":1})");
  EXPECT_EQ(batch.status, 200);
  EXPECT_TRUE(batch.body.starts_with(
      R"({"results":[{"channel":"closed:1","error":{"code":"forbidden","message":"closed"}},{"channel":"open","epoch":)"))
      << batch.body;
}

TEST_F(ApiRoomTest, AnAnswerFromAnotherThreadComesBackToTheLoop) {
  engine_.late = true;
  const auto answer = routes_.ask("POST", "/api/publish", R"({"channel":"a","event":"e","data":1})");
  loop_.settle();
  EXPECT_FALSE(answer->response);
  EXPECT_FALSE(answer->dropped);
  engine_.complete_in_reverse();
  EXPECT_FALSE(answer->response) << "answered on the engine's thread";
  loop_.settle();
  ASSERT_TRUE(answer->response);
  EXPECT_EQ(answer->response->status, 200);
}

TEST_F(ApiRoomTest, ResultsKeepTheOrderOfTheRequestHoweverTheyCome) {
  engine_.late = true;
  const auto answer = routes_.ask(
      "POST", "/api/batch",
      R"({"publications":[{"channel":"a","event":"e","data":1},{"channel":"b","event":"e"},{"channel":"c","event":"e","data":3},3]})");
  loop_.settle();
  EXPECT_FALSE(answer->response);
  engine_.complete_in_reverse();
  loop_.settle();
  ASSERT_TRUE(answer->response);
  const std::string& body = answer->response->body;
  const std::size_t b = body.find(R"({"channel":"b","error":{"code":"invalid","message":"missing field `data`"}})");
  ASSERT_NE(b, std::string::npos) << body;
  EXPECT_LT(body.find(R"({"channel":"a","epoch")"), b);
  EXPECT_GT(body.find(R"({"channel":"c","epoch")"), b);
  EXPECT_TRUE(body.ends_with(R"({"error":{"code":"invalid","message":"a publication must be an object, not a number"}}]})"))
      << body;
  EXPECT_EQ(ask("POST", "/batch", R"({"publications":[]})").body, R"({"results":[]})");
  EXPECT_EQ(ask("POST", "/batch", R"({"publications":[1,2,3,4,5]})").status, 413);
}

TEST_F(ApiRoomTest, HistoryIsReadPageByPage) {
  for (int i = 1; i <= 6; ++i) publish("repo:alice/app", std::to_string(i));
  const Reply first = ask("GET", "/channels/repo%3Aalice%2Fapp/history?limit=2");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(field(first.body, "offset"), "6");
  EXPECT_EQ(field(first.body, "more"), "true");
  EXPECT_NE(first.body.find(R"("data":2,)"), std::string::npos);
  EXPECT_EQ(first.body.find(R"("data":1,)"), std::string::npos) << "five are kept";

  const std::string epoch = text_field(first.body, "epoch");
  const Reply rest = ask("GET", "/channels/repo%3Aalice%2Fapp/history?since=" + epoch + ":3");
  EXPECT_EQ(field(rest.body, "complete"), "true");
  EXPECT_EQ(field(rest.body, "more"), "false");
  EXPECT_NE(rest.body.find(R"("data":4,)"), std::string::npos);
  EXPECT_NE(rest.body.find(R"("offset":6})"), std::string::npos);
  EXPECT_EQ(field(ask("GET", "/channels/repo%3Aalice%2Fapp/history?since=ffff:3").body, "complete"), "false");

  const Reply newest = ask("GET", "/channels/repo%3Aalice%2Fapp/history?reverse=true&limit=1");
  EXPECT_NE(newest.body.find(R"("data":6,)"), std::string::npos);
  EXPECT_EQ(field(ask("GET", "/channels/repo%3Aalice%2Fapp/history?limit=99").body, "more"), "true") << "four a page";

  const std::string now = std::to_string(clock_.unix_ms()), later = std::to_string(clock_.unix_ms() + 1);
  const auto events_from = [&](const std::string& query) {
    return field(ask("GET", "/channels/repo%3Aalice%2Fapp/history?limit=1&from_ms=" + query).body, "events");
  };
  EXPECT_NE(events_from(now).find(R"("data":2,)"), std::string::npos);
  EXPECT_EQ(events_from(later), "[]");
  EXPECT_NE(events_from(later + "&reverse=true").find(R"("data":6,)"), std::string::npos);
  EXPECT_EQ(events_from(now + "&reverse=true"), "[]");
}

TEST_F(ApiRoomTest, APageOfHistoryIsBoundedInBytesToo) {
  const std::string data = '"' + std::string(900, 'x') + '"';
  for (int i = 0; i < 4; ++i) publish("big", data);
  const Reply page = ask("GET", "/channels/big/history");
  EXPECT_LT(page.body.size(), 2500u);
  EXPECT_EQ(field(page.body, "more"), "true");
  EXPECT_NE(page.body.find(R"("offset":1})"), std::string::npos);
}

TEST_F(ApiRoomTest, HistoryQueriesAreChecked) {
  for (const char* query : {"limit=0", "limit=-1", "limit=x", "since=1", "since=:1", "since=1:", "since=xyz:1", "reverse=yes",
                            "from_ms=x", "from_ms=-1", "from_ms=1&since=1:1"}) {
    EXPECT_EQ(ask("GET", "/channels/a/history?" + std::string(query)).status, 400) << query;
  }
  EXPECT_EQ(ask("GET", "/channels/repo%3Ax/history").status, 400);
  EXPECT_EQ(ask("GET", "/channels/%01/history").status, 400);
  engine_.broken = true;
  EXPECT_EQ(ask("GET", "/channels/a/history").status, 503);
}

TEST_F(ApiRoomTest, RemovedHistoryBeginsANewEpoch) {
  publish("a");
  const std::string before = position("a");
  const Reply removed = ask("DELETE", "/channels/a/history");
  EXPECT_EQ(removed.body, R"({"channel":"a","removed":true})");
  EXPECT_EQ(field(ask("GET", "/channels/a/history").body, "events"), "[]");
  publish("a");
  EXPECT_NE(position("a"), before);
  EXPECT_TRUE(position("a").ends_with(":1"));
}

TEST_F(ApiRoomTest, ChannelsAreListedInPages) {
  Client client(shard_);
  client.session.subscribe({.selector = {.base = "room:3"}, .recover = std::nullopt});
  for (const char* channel : {"room:1", "room:2", "room:3", "room:4", "zoo"}) publish(channel);
  const Reply first = ask("GET", "/channels?prefix=room%3A&limit=2");
  EXPECT_EQ(text_field(first.body, "next"), "room:2");
  const Reply second = ask("GET", "/channels?prefix=room%3A&limit=2&after=room%3A2");
  EXPECT_NE(second.body.find(R"({"channel":"room:3","subscribers":1,"epoch":)"), std::string::npos) << second.body;
  EXPECT_EQ(field(second.body, "next"), "");
  EXPECT_EQ(text_field(ask("GET", "/channels?limit=1000").body, "next"), "room:3") << "three a page";
  EXPECT_EQ(ask("GET", "/channels/nobody").body, R"({"channel":"nobody","subscribers":0,"history":0})");
  EXPECT_EQ(ask("GET", "/channels/room").body, R"({"channel":"room","subscribers":0,"history":0})");
  EXPECT_EQ(field(ask("GET", "/channels/room:3").body, "history"), "1");
}

TEST_F(ApiRoomTest, SessionsAreListedShownAndEnded) {
  Client one(shard_);
  Client two(shard_);
  const std::string first = session_text(std::min(one.session.id(), two.session.id()));
  const std::string second = session_text(std::max(one.session.id(), two.session.id()));
  const Reply page = ask("GET", "/sessions?limit=1");
  EXPECT_EQ(text_field(page.body, "next"), first);
  EXPECT_NE(ask("GET", "/sessions?after=" + first).body.find(second), std::string::npos);
  EXPECT_EQ(ask("GET", "/sessions/" + second).body,
            R"({"id":")" + second +
                R"(","protocol":"native","user":"","verified":false,"peer":"127.0.0.1:40001","user_agent":"test/1",)"
                R"("connected_at":1700000060,"subscriptions":0,"outbox_bytes":0})");
  const std::string id = session_text(one.session.id());
  EXPECT_EQ(ask("DELETE", "/sessions/" + id + "?reason=bye+now").body, R"({"id":")" + id + R"(","disconnected":true})");
  EXPECT_EQ(one.farewell, "bye now");
  EXPECT_EQ(two.farewell, "");
}

TEST_F(ApiRoomTest, UnknownSessionsAreNotFound) {
  for (const char* id : {"0", "12", "ffffffffffffffff", "me", "0000000000000000"}) {
    EXPECT_EQ(ask("GET", "/sessions/" + std::string(id)).status, 404) << id;
    EXPECT_EQ(ask("DELETE", "/sessions/" + std::string(id)).status, 404) << id;
  }
  EXPECT_EQ(ask("GET", "/sessions?after=me").status, 400);
  EXPECT_EQ(ask("DELETE", "/sessions/12?reason=%ff").status, 400);
}

TEST_F(ApiRoomTest, PresenceIsListedAndCounted) {
  Client one(shard_, "alice");
  Client two(shard_, "alice");
  Client watcher(shard_, "bob");
  for (Client* client : {&one, &two, &watcher}) {
    client->session.subscribe({.selector = {.base = "user:alice"}, .recover = std::nullopt});
  }
  ASSERT_TRUE(one.session.set_presence("user:alice", "alice", R"({"at":"home"})"));
  ASSERT_TRUE(two.session.set_presence("user:alice", "alice", ""));
  loop_.settle();
  const Reply all = ask("GET", "/presence?channel=user%3Aalice");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(field(all.body, "channel"), R"("user:alice")");
  EXPECT_EQ(field(all.body, "users"), "1");
  EXPECT_EQ(field(all.body, "members"), "2");
  const std::string metas = field(field(field(all.body, "presence"), "alice"), "metas");
  EXPECT_NE(metas.find(R"("online_at":1700000060500,"meta":{"at":"home"},"session":")" + session_text(one.session.id())),
            std::string::npos)
      << metas;
  EXPECT_EQ(ask("GET", "/presence_stats?channel=user:alice").body, R"({"channel":"user:alice","users":1,"members":2})");
  EXPECT_EQ(ask("GET", "/presence?channel=nobody").body, R"({"channel":"nobody","users":0,"members":0,"presence":{}})");
}

TEST_F(ApiRoomTest, UsersSeeThePresenceThatThePolicyShowsThemWithoutSessions) {
  Client one(shard_, "alice");
  one.session.subscribe({.selector = {.base = "user:alice"}, .recover = std::nullopt});
  ASSERT_TRUE(one.session.set_presence("user:alice", "alice", ""));
  loop_.settle();
  routes_.peer = {.text = "203.0.113.9:1", .loopback = false};
  const std::vector<HttpHeaders::Field> alice = {{"Authorization", "Bearer token-alice"}};
  const Reply all = ask("GET", "/presence?channel=user:alice", "", alice);
  EXPECT_EQ(field(all.body, "members"), "1");
  EXPECT_EQ(all.body.find("session"), std::string::npos) << all.body;
  EXPECT_EQ(ask("GET", "/presence?channel=user:bob", "", alice).status, 403);
  EXPECT_EQ(ask("GET", "/presence_stats?channel=user:bob", "", alice).status, 403);
}

TEST_F(ApiRoomTest, PresenceQueriesAreChecked) {
  for (const char* path : {"/presence", "/presence_stats"}) {
    EXPECT_EQ(ask("GET", path).status, 400);
    EXPECT_EQ(ask("GET", path + std::string("?channel=")).status, 400);
    EXPECT_EQ(ask("GET", path + std::string("?channel=closed:1")).status, 403);
  }
}

TEST_F(ApiRoomTest, AChannelIsClosed) {
  Client one(shard_);
  Client two(shard_);
  for (Client* client : {&one, &two}) {
    client->session.subscribe({.selector = {.base = "room"}, .recover = std::nullopt});
    ASSERT_TRUE(client->session.set_presence("room", "somebody", ""));
  }
  EXPECT_EQ(ask("POST", "/channels/close", R"({"channel":"room","reason":"over","crash":true})").body, R"({"closed":2})");
  EXPECT_EQ(one.unsubscribed, "!room over");
  EXPECT_EQ(two.unsubscribed, "!room over");
  EXPECT_EQ(field(ask("GET", "/presence?channel=room").body, "members"), "0");
  EXPECT_EQ(ask("POST", "/channels/close", R"({"channel":"room"})").body, R"({"closed":0})");
  EXPECT_EQ(ask("POST", "/channels/close", "{}").status, 400);
  EXPECT_EQ(ask("GET", "/channels/close").body, R"({"channel":"close","subscribers":0,"history":0})");
}

TEST_F(ApiRoomTest, AUserIsDisconnectedWhereverItIs) {
  Client one(shard_, "alice");
  Client two(shard_, "alice");
  Client other(shard_, "bob");
  Client nobody(shard_);
  EXPECT_EQ(ask("POST", "/disconnect", R"({"user":"alice","reason":"bye"})").body, R"({"disconnected":2})");
  EXPECT_EQ(one.farewell, "bye");
  EXPECT_EQ(two.farewell, "bye");
  EXPECT_EQ(ask("POST", "/disconnect", R"({"user":"alice"})").body, R"({"disconnected":0})");
  const std::string id = session_text(other.session.id());
  EXPECT_EQ(ask("POST", "/disconnect", R"({"session":")" + id + R"("})").body, R"({"disconnected":1})");
  EXPECT_EQ(other.farewell, "disconnected by an operator");
  EXPECT_EQ(ask("POST", "/disconnect", R"({"session":")" + id + R"("})").body, R"({"disconnected":0})");
  EXPECT_EQ(ask("POST", "/disconnect", R"({"user":""})").status, 400);
  EXPECT_EQ(nobody.farewell, "");
}

TEST_F(ApiRoomTest, AnAnnouncementReachesEverybody) {
  Client one(shard_);
  Client two(shard_);
  EXPECT_EQ(ask("POST", "/announce", R"({"text":"{\"type\":\"note\"}"})").body, R"({"sessions":2})");
  EXPECT_EQ(one.heard, R"({"type":"note"})");
  EXPECT_EQ(two.heard, one.heard);
}

TEST_F(ApiRoomTest, InfoAndStatsTellTheTruth) {
  Client client(shard_);
  client.session.subscribe({.selector = {.base = "a"}, .recover = std::nullopt});
  publish("a");
  EXPECT_EQ(ask("GET", "/realtime/stats").body,
            R"({"current_connections":1,"total_connections":1,"total_subscriptions":1,"total_events":1})");
  const std::string info = ask("GET", "/info").body;
  EXPECT_EQ(field(info, "version"), R"("1.2.3")");
  EXPECT_EQ(field(info, "uptime_seconds"), "60");
  EXPECT_EQ(field(info, "protocols"), R"([{"name":"native","path":"/ws"}])");
}

TEST_F(ApiRoomTest, StrangersAreRefusedEverywhereButWhereAllMayRead) {
  routes_.peer = {.text = "203.0.113.9:1", .loopback = false};
  for (const RoutesDouble::Route& route : routes_.routes) {
    const bool open = route.path == "/api/realtime/stats" || route.path == "/api/openapi.json";
    EXPECT_EQ(ask(route.method, route.path.substr(4)).status, open ? 200 : 403) << route.path;
  }
}

TEST_F(ApiRoomTest, AUserWithATokenMayWhatThePolicyAllows) {
  routes_.peer = {.text = "203.0.113.9:1", .loopback = false};
  const std::vector<HttpHeaders::Field> alice = {{"Authorization", "Bearer token-alice"}};
  const auto listener = hub_.listen();
  const auto publish_body = [](std::string_view channel) {
    return R"({"channel":")" + std::string(channel) + R"(","event":"e","data":1})";
  };
  EXPECT_EQ(ask("POST", "/publish", publish_body("user:alice"), alice).status, 200);
  const PublicationPtr published = listener->next(std::chrono::milliseconds(0));
  ASSERT_NE(published, nullptr);
  EXPECT_EQ(published->identity->user, "alice");
  EXPECT_EQ(published->identity->claims, nullptr);
  EXPECT_EQ(ask("POST", "/publish?token=token-alice", publish_body("user:alice")).status, 200);
  EXPECT_EQ(ask("GET", "/channels/user%3Aalice/history", "", alice).status, 200);
  EXPECT_EQ(ask("POST", "/publish", publish_body("user:bob"), alice).status, 403);
  EXPECT_EQ(ask("GET", "/channels/user%3Abob/history", "", alice).status, 403);
  const Reply batch = ask("POST", "/broadcast", R"({"channels":["user:alice","user:bob"],"event":"e","data":1})", alice);
  EXPECT_EQ(batch.status, 200);
  EXPECT_NE(batch.body.find("not theirs"), std::string::npos) << batch.body;
}

TEST_F(ApiRoomTest, ATokenIsForNothingElse) {
  routes_.peer = {.text = "203.0.113.9:1", .loopback = false};
  const std::vector<HttpHeaders::Field> alice = {{"Authorization", "Bearer token-alice"}};
  for (const RoutesDouble::Route& route : routes_.routes) {
    const bool for_users = route.path.starts_with("/api/groups/") || route.path.starts_with("/api/topics") ||
                           route.path == "/api/presence" || route.path == "/api/presence_stats" ||
                           route.path == "/api/publish" || route.path == "/api/broadcast" || route.path == "/api/batch" ||
                           (route.method == "GET" && route.path == "/api/channels/{name}/history");
    const bool open = route.path == "/api/realtime/stats" || route.path == "/api/openapi.json";
    if (!for_users && !open) {
      EXPECT_EQ(ask(route.method, route.path.substr(4), "", alice).status, 403) << route.path;
    }
  }
  const auto refused = routes_.ask("POST", "/api/publish", "{}", {{"Authorization", "Bearer forged"}});
  EXPECT_EQ(refused->response->status, 401);
  EXPECT_EQ(refused->response->headers.get("WWW-Authenticate"), R"(Bearer error="invalid_token")");
}

// The paths and methods of the document, written as the routes are.
std::vector<std::string> described_routes(const std::string& document) {
  JsonSlicer slicer;
  JsonSlicer inner;
  JsonSlicer innermost;
  const JsonDocument root = *slicer.slice(document);
  const JsonDocument paths = *inner.slice(root.find("paths")->text);
  std::vector<std::string> routes;
  for (const JsonMember& path : paths.members) {
    const JsonDocument operations = *innermost.slice(path.value.text);
    for (const JsonMember& operation : operations.members) {
      if (operation.key == "parameters") continue;
      std::string method(operation.key);
      for (char& c : method) c = static_cast<char>(c - 'a' + 'A');
      routes.push_back(method + " /api" + std::string(path.key));
    }
  }
  std::sort(routes.begin(), routes.end());
  return routes;
}

TEST_F(ApiRoomTest, TopicsAreCreatedListedShownAndDeleted) {
  const Reply created = ask("POST", "/topics", R"({"name":"weather"})");
  EXPECT_EQ(created.status, 201);
  const std::string id = text_field(created.body, "id");
  EXPECT_EQ(text_field(created.body, "channel"), "log:" + id);
  EXPECT_EQ(text_field(created.body, "creator"), "api");
  subscriptions_.keep("somebody", {"log:" + id, {}}, Millis{1000}, [](const Result<void>& kept) { EXPECT_TRUE(kept); });
  const Reply shown = ask("GET", "/topics/" + id);
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(text_field(shown.body, "name"), "weather");
  EXPECT_EQ(field(shown.body, "subscribers"), R"(["somebody"])");
  EXPECT_EQ(field(shown.body, "more"), "false");
  for (const char* const name : {"a", "b", "c"}) ask("POST", "/topics", R"({"name":")" + std::string(name) + "\"}");
  const Reply page = ask("GET", "/topics?limit=3");
  const std::string next = text_field(page.body, "next");
  EXPECT_NE(next, "");
  const Reply rest = ask("GET", "/topics?after=" + next);
  EXPECT_EQ(field(rest.body, "next"), "");
  EXPECT_NE(field(page.body, "topics").find(id) == std::string::npos, field(rest.body, "topics").find(id) == std::string::npos);
  EXPECT_EQ(ask("DELETE", "/topics/" + id).status, 200);
  for (const char* const method : {"GET", "DELETE"}) {
    EXPECT_EQ(ask(method, "/topics/" + id).status, 404);
    EXPECT_EQ(ask(method, "/topics/nonsense").status, 404);
  }
  EXPECT_EQ(ask("GET", "/topics?after=nonsense").status, 400);
  EXPECT_EQ(ask("GET", "/topics?limit=0").status, 400);
  EXPECT_EQ(ask("POST", "/topics", R"({"name":""})").status, 400);
  EXPECT_EQ(ask("POST", "/topics", R"({})").status, 400);
}

TEST_F(ApiRoomTest, ATopicIsDeletedByWhoMadeItOrByWhoMayAll) {
  const auto as = [](std::string_view user) {
    return std::vector<HttpHeaders::Field>{{"Authorization", "Bearer token-" + std::string(user)}};
  };
  const std::string id = text_field(ask("POST", "/topics", R"({"name":"n"})", as("alice")).body, "id");
  EXPECT_EQ(text_field(ask("GET", "/topics/" + id).body, "creator"), "alice");
  EXPECT_EQ(ask("DELETE", "/topics/" + id, {}, as("bob")).status, 403);
  EXPECT_EQ(ask("DELETE", "/topics/" + id, {}, as("alice")).status, 200);
}

TEST_F(ApiRoomTest, TheOpenapiDocumentDescribesExactlyTheRoutes) {
  std::vector<std::string> claimed;
  for (const RoutesDouble::Route& route : routes_.routes) claimed.push_back(route.method + " " + route.path);
  std::sort(claimed.begin(), claimed.end());
  const std::string document = ask("GET", "/openapi.json").body;
  EXPECT_EQ(described_routes(document), claimed);
  EXPECT_EQ(field(document, "openapi"), R"("3.1.0")");
  EXPECT_EQ(field(document, "servers"), R"([{"url": "/api"}])");
  EXPECT_NE(field(document, "info").find(R"("1.2.3")"), std::string::npos);
}

TEST(OpenapiDocument, EveryReferenceLeadsSomewhere) {
  const std::string document = openapi_document("/api", "1");
  constexpr std::string_view kReference = R"("$ref": "#/components/)";
  std::size_t references = 0;
  for (std::size_t at = document.find(kReference); at != std::string::npos; at = document.find(kReference, at + 1)) {
    const std::size_t begin = at + kReference.size();
    const std::string_view place = std::string_view(document).substr(begin, document.find('"', begin) - begin);
    JsonSlicer slicer;
    std::string_view components = slicer.slice(document)->find("components")->text;
    const std::size_t slash = place.find('/');
    const JsonSpan* const section = slicer.slice(components)->find(place.substr(0, slash));
    ASSERT_NE(section, nullptr) << place;
    EXPECT_NE(slicer.slice(section->text)->find(place.substr(slash + 1)), nullptr) << place;
    ++references;
  }
  EXPECT_GT(references, 30u);
}

}  // namespace
}  // namespace carillon
