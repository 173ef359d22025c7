#include "protocol/sse/sse_dialog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/memory/hub_double.h"
#include "protocol/link_double.h"
#include "protocol/sse/sse.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Strings = std::vector<std::string>;

// An EventSource: it reads blocks, keeps the last id, and comes back with it.
class EventSource final {
 public:
  EventSource(World& world, SseRoom& room, std::string query) : world_(world), query_(std::move(query)) {
    room.add_routes(routes_);
    connect();
  }
  ~EventSource() { disconnect(); }

  void connect() {
    // What the last connection left unread is lost with it.
    link = std::make_unique<LinkDouble>(world_.shards[0]->frame_memory());
    routes_.handler(std::make_unique<Asking>(*this));
    read();
  }
  void disconnect() {
    if (dialog != nullptr && !link->closed) dialog->on_link_closed();
    dialog.reset();
  }
  void reconnect() {
    read();
    disconnect();
    connect();
  }
  void read() {
    world_.settle();
    for (const std::string& block : link->received()) take(block);
  }
  Strings data() {
    read();
    return std::exchange(data_, {});
  }

  std::string last_id;
  Strings notices;  // "reset {…}", in their order.
  std::size_t comments = 0;
  int refused = 0;
  std::unique_ptr<LinkDouble> link;
  std::unique_ptr<Dialog> dialog;
  bool blocked_from_start = false;

 private:
  struct Asking final : Exchange {
    explicit Asking(EventSource& source) : owner(source) {
      asked.method = "GET";
      asked.path = asked.target = "/api/events";
      asked.query = source.query_;
      if (!source.last_id.empty()) asked.headers.add("Last-Event-ID", source.last_id);
    }
    const HttpRequest& request() const override { return asked; }
    PeerAddress peer() const override { return {}; }
    const PathValues& path_values() const override { return none; }
    void on_gone(Task) override { ADD_FAILURE(); }
    void on_drain(Task) override { ADD_FAILURE(); }
    void reply(HttpResponse response, ReplySent) override { owner.refused = response.status; }
    void open_stream(HttpResponse, StreamOptions, OpenDialog open) override {
      owner.dialog = open(*owner.link);
      owner.link->dialog = owner.dialog.get();
      owner.link->blocked = owner.blocked_from_start;
    }
    void accept_websocket(WebSocketAcceptance, OpenDialog) override { ADD_FAILURE(); }
    EventSource& owner;
    HttpRequest asked;
    const PathValues none;
  };
  struct OneRoute final : Routes {
    void add(std::string_view, std::string_view, RouteHandler added) override { handler = std::move(added); }
    RouteHandler handler;
  };

  // WHATWG HTML, section 9.2.6.
  void take(std::string_view block) {
    ASSERT_TRUE(block.ends_with("\n\n")) << block;
    std::string event, data;
    while (!block.empty()) {
      const std::string_view line = block.substr(0, block.find('\n'));
      block.remove_prefix(line.size() + 1);
      if (line.starts_with("id: ")) last_id = line.substr(4);
      if (line.starts_with("event: ")) event = line.substr(7);
      if (line.starts_with("data: ")) data += (data.empty() ? "" : "\n") + std::string(line.substr(6));
      if (line.starts_with(":")) ++comments;
    }
    if (!event.empty()) {
      notices.push_back(event + ' ' + data);
    } else if (!data.empty()) {
      const std::size_t from = data.find(R"("data":)") + 7;
      data_.push_back(data.substr(from, data.find(",\"timestamp\"") - from));
    }
  }

  World& world_;
  const std::string query_;
  OneRoute routes_;
  Strings data_;
};

class SseDialogTest : public ::testing::Test {
 protected:
  explicit SseDialogTest(World::Options options = {.loops = 1}) : world(options) {}

  void publish(std::string channel, int number) { world.publish(std::move(channel), std::to_string(number)); }

  World world;
  SseRoom room{*world.shards[0],
               world.random,
               [](const Exchange&, std::string_view) { return IdentityPtr(); },
               {},
               EventNames::kUnderscore,
               {}};
};

TEST_F(SseDialogTest, EventsComeInOrderAndAStreamResumesWithoutGapOrRepeat) {
  EventSource source(world, room, "channel=room:1");
  EXPECT_NE(source.last_id, "");  // Also before the first event.
  publish("room:1", 1);
  publish("room:1", 2);
  EXPECT_THAT(source.data(), ElementsAre("1", "2"));
  source.disconnect();
  publish("room:1", 3);
  source.connect();
  publish("room:1", 4);
  EXPECT_THAT(source.data(), ElementsAre("3", "4"));
  source.reconnect();
  EXPECT_THAT(source.data(), IsEmpty());
  EXPECT_THAT(source.notices, IsEmpty());
}

TEST_F(SseDialogTest, OneIdResumesSeveralChannels) {
  EventSource source(world, room, "channel=room:1&channel=repo:a/b&channel=room:2");
  publish("room:2", 1);
  publish("repo:a/b/prs", 2);
  publish("room:1", 3);
  EXPECT_EQ(source.data().size(), 3u);
  source.disconnect();
  publish("room:1", 4);
  publish("repo:a/b", 5);
  publish("repo:a/b/new", 6);  // A sub-channel that did not exist.
  publish("repo:a/b/prs", 7);
  source.connect();
  publish("room:2", 8);
  Strings got = source.data();
  EXPECT_EQ(got.back(), "8");
  std::sort(got.begin(), got.end());
  EXPECT_THAT(got, ElementsAre("4", "5", "6", "7", "8"));
  source.reconnect();
  EXPECT_THAT(source.data(), IsEmpty());
  EXPECT_THAT(source.notices, IsEmpty());
}

// Cut after every number of blocks: whatever was read, the rest comes.
TEST_F(SseDialogTest, ACutAnywhereLosesAndRepeatsNothing) {
  EventSource source(world, room, "channel=room:1&channel=repo:a/b");
  Strings all;
  int number = 0;
  Dice dice(7);
  for (int round = 0; round < 60; ++round) {
    source.disconnect();
    for (unsigned i = dice() % 4; i > 0; --i) {
      const char* const channels[] = {"room:1", "repo:a/b", "repo:a/b/prs", "repo:a/b/issues"};
      publish(channels[dice() % 4], ++number);
    }
    source.connect();
    if (dice() % 2 == 0) publish("repo:a/b/prs", ++number);
    for (std::string& data : source.data()) all.push_back(std::move(data));
  }
  std::set<std::string> distinct(all.begin(), all.end());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(number));
  EXPECT_EQ(distinct.size(), all.size());
  EXPECT_THAT(source.notices, IsEmpty());
}

TEST_F(SseDialogTest, AChannelNamedTwiceIsHeardOnce) {
  EventSource source(world, room, "channel=room:1&channel=room:1&channel=user:a/x&channel=user:a");
  publish("room:1", 1);
  publish("user:a", 2);
  EXPECT_THAT(source.data(), ElementsAre("1", "2"));
  source.disconnect();
  publish("room:1", 3);
  source.connect();
  EXPECT_THAT(source.data(), ElementsAre("3"));
  EXPECT_THAT(source.notices, IsEmpty());
}

TEST_F(SseDialogTest, WhatIsGoneIsToldByAReset) {
  EventSource source(world, room, "channel=room:1&channel=room:2");
  publish("room:1", 0);
  publish("room:2", 1);
  EXPECT_EQ(source.data().size(), 2u);
  source.disconnect();
  world.hub->remove_history("room:1", [](Result<void>) {});
  publish("room:1", 2);
  publish("room:2", 3);
  source.connect();
  EXPECT_THAT(source.notices, ElementsAre(R"(reset {"type":"reset","channel":"room:1"})"));
  const Strings got = source.data();
  EXPECT_EQ(got.size(), 2u);  // What is kept.
  source.notices.clear();
  source.reconnect();
  EXPECT_THAT(source.notices, IsEmpty());
}

TEST_F(SseDialogTest, AnIdThatNobodyCanReadIsAReset) {
  EventSource source(world, room, "channel=room:1&channel=room:2");
  source.disconnect();
  for (const char* id : {"42", "room:1=zz:1", "-"}) {
    source.last_id = id;
    source.notices.clear();
    source.connect();
    EXPECT_THAT(source.notices, ElementsAre(R"(reset {"type":"reset"})")) << id;
    EXPECT_NE(source.last_id, id);
    source.disconnect();
  }
  source.last_id = "room:9=1:1;room:1=1:1";  // A stream on other channels.
  source.notices.clear();
  source.connect();
  EXPECT_THAT(source.notices, ElementsAre(R"(reset {"type":"reset","channel":"room:1"})"));
}

TEST_F(SseDialogTest, AStreamOverTooManyChannelsSaysThatItCannotResume) {
  EventSource source(world, room, "channel=all");
  for (int i = 0; i < 101; ++i) publish("room:" + std::to_string(i), i);
  EXPECT_EQ(source.data().size(), 101u);
  EXPECT_EQ(source.last_id, "-");
  source.reconnect();
  EXPECT_EQ(source.notices.at(0), R"(reset {"type":"reset"})");
}

TEST_F(SseDialogTest, ACursorFitsIntoARequestsHead) {
  std::string query;
  for (int i = 0; i < 30; ++i) query += "channel=" + std::string(200, 'a') + std::to_string(i) + "&";
  EventSource source(world, room, query);
  EXPECT_EQ(source.last_id, "-");
  publish(std::string(200, 'a') + "5", 1);
  EXPECT_EQ(source.data().size(), 1u);
  EXPECT_EQ(source.last_id, "-");
}

TEST_F(SseDialogTest, RefusalsAreAnswers) {
  const auto status = [&](std::string query) {
    EventSource source(world, room, std::move(query));
    EXPECT_EQ(source.dialog, nullptr);
    return source.refused;
  };
  EXPECT_EQ(status(""), 400);
  EXPECT_EQ(status("channel="), 400);
  EXPECT_EQ(status("channel=repo:x"), 400);
  EXPECT_EQ(status("channel=secret"), 403);
  std::string many;
  for (int i = 0; i < 101; ++i) many += "channel=c" + std::to_string(i) + "&";
  EXPECT_EQ(status(many), 400);
  EXPECT_EQ(world.hub->stats().sessions, 0u);
}

TEST_F(SseDialogTest, AQuietStreamCarriesComments) {
  EventSource source(world, room, "channel=room:1");
  source.dialog->on_quiet();
  source.dialog->on_message("nothing to say", MessageKind::kText);
  source.read();
  EXPECT_EQ(source.comments, 1u);
  EXPECT_THAT(source.data(), IsEmpty());
}

TEST_F(SseDialogTest, AnAnnouncementMayHaveManyLines) {
  EventSource source(world, room, "channel=room:1");
  world.hub->announce(Bytes::copy_of("one\r\ntwo\rthree\n\nid: evil\n"));
  source.read();
  EXPECT_THAT(source.notices, ElementsAre("announcement one\ntwo\nthree\n\nid: evil\n"));
  EXPECT_THAT(source.last_id, StartsWith("room:1="));
}

TEST_F(SseDialogTest, AnOperatorsDisconnectEndsTheStream) {
  EventSource source(world, room, "channel=room:1");
  SessionId id = 0;
  world.hub->list_sessions(*world.loops[0], 0, 10, [&](std::vector<SessionInfo> sessions) { id = sessions.at(0).id; });
  world.settle();
  world.hub->disconnect(*world.loops[0], id, "enough", [](bool) {});
  world.settle();
  EXPECT_TRUE(source.link->closed);
  EXPECT_EQ(world.hub->stats().sessions, 0u);
}

class SlowSseTest : public SseDialogTest {
 protected:
  SlowSseTest() : SseDialogTest({.loops = 1, .hub = {.outbox_bytes_max = 2'000}}) {}
};

TEST_F(SlowSseTest, ASlowReaderHearsOfItsGap) {
  EventSource source(world, room, "channel=room:1");
  source.link->blocked = true;
  for (int i = 0; i < 100; ++i) {
    publish("room:1", i);
    world.settle();
  }
  source.link->unblock();
  const Strings got = source.data();
  EXPECT_LT(got.size(), 20u);
  EXPECT_EQ(got.back(), "99");
  EXPECT_THAT(source.notices,
              ElementsAre(R"(gap {"type":"gap","channel":"room:1","missed":)" + std::to_string(100 - got.size()) + "}"));
}

// More was missed than an outbox holds: an open link takes it while it is written.
TEST_F(SlowSseTest, ResumingWithMuchMissedLosesNothingWhereTheLinkTakesIt) {
  EventSource source(world, room, "channel=room:1");
  source.disconnect();
  for (int i = 0; i < 500; ++i) publish("room:1", i);
  source.connect();
  EXPECT_EQ(source.data().size(), 500u);
  EXPECT_THAT(source.notices, IsEmpty());
  source.disconnect();
  for (int i = 0; i < 500; ++i) publish("room:1", i);
  source.blocked_from_start = true;
  source.connect();
  source.link->unblock();
  const std::size_t got = source.data().size();
  EXPECT_LT(got, 500u);
  std::size_t missed = 0;
  for (const std::string& notice : source.notices) {
    ASSERT_THAT(notice, StartsWith(R"(gap {"type":"gap","channel":"room:1","missed":)"));
    missed += std::stoul(notice.substr(notice.rfind(':') + 1));
  }
  EXPECT_EQ(got + missed, 500u);
}

}  // namespace
}  // namespace carillon
