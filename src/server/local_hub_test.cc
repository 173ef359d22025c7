// The hub inside a program, without sockets.
#include "carillon/local_hub.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "carillon/records.h"

namespace carillon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kPatience = 10s;  // For what must come.
constexpr auto kNow = 0ms;       // For what must be there, or must not.

class LocalHubTest : public ::testing::Test {
 protected:
  void start(const ServerOptions& options = {}) {
    auto started = LocalHub::start(options);
    ASSERT_TRUE(started) << started.error().text;
    hub_ = *std::move(started);
  }
  void SetUp() override { start(); }

  LocalClient connect(ClientMetadata metadata = {}) {
    Result<LocalClient> client = hub_->connect(std::move(metadata));
    if (!client) throw std::runtime_error(client.error().text);
    return *std::move(client);
  }
  // The answer to a command.
  std::string answer(LocalClient& client, std::string_view command) {
    const Result<void> handled = client.handle_command(command);
    if (!handled) return "not handled: " + handled.error().text;
    return client.receive(kNow).value_or("no answer");
  }
  std::string subscribe(LocalClient& client, std::string_view channel) {
    return answer(client, fmt::format(R"({{"type":"subscribe","channel":"{}"}})", channel));
  }
  EmitReceipt emit(std::string_view channel, std::string_view event = "new_msg", std::string_view data = "{}") {
    Result<EmitReceipt> receipt = hub_->emit(channel, event, data);
    if (!receipt) throw std::runtime_error(receipt.error().text);
    return *std::move(receipt);
  }

  std::unique_ptr<LocalHub> hub_;
};

// --- What guts' own tests say of its hub

TEST_F(LocalHubTest, ConnectGivesAnIdAndCounts) {
  EXPECT_EQ(hub_->connection_count(), 0);
  LocalClient client = connect();
  EXPECT_FALSE(client.id().empty());
  EXPECT_EQ(hub_->connection_count(), 1);
  EXPECT_TRUE(hub_->disconnect(client.id()));
  EXPECT_EQ(hub_->connection_count(), 0);
  EXPECT_TRUE(client.closed());
  EXPECT_FALSE(hub_->disconnect(client.id()));
}

TEST_F(LocalHubTest, SubscribeUnsubscribeAndPingAreAnswered) {
  LocalClient client = connect();
  EXPECT_THAT(subscribe(client, "repo:alice/myrepo"), StartsWith(R"({"type":"subscribed","channel":"repo:alice/myrepo")"));
  EXPECT_EQ(answer(client, R"({"type":"unsubscribe","channel":"repo:alice/myrepo"})"),
            R"({"type":"unsubscribed","channel":"repo:alice/myrepo"})");
  EXPECT_EQ(answer(client, R"({"type":"ping"})"), R"({"type":"pong"})");
  EXPECT_THAT(answer(client, "no json"), HasSubstr("Invalid message format: "));
}

TEST_F(LocalHubTest, ClientsOfTheProgramArePresentAsTheirUsers) {
  ServerOptions options;
  options.channels = {{.match = "room:**", .presence = true}};
  start(options);
  LocalClient alice = connect({.user_id = "alice"});
  EXPECT_THAT(answer(alice, R"({"type":"subscribe","channel":"room:1","presence":true})"), HasSubstr(R"("key":"alice")"));
  EXPECT_THAT(alice.receive(kPatience).value_or(""), StartsWith(R"({"type":"presence_state")"));
  LocalClient bob = connect({.user_id = "bob"});
  answer(bob, R"({"type":"subscribe","channel":"room:1","presence":{"watch":false}})");
  EXPECT_THAT(alice.receive(kPatience).value_or(""), HasSubstr(R"("joins":{"bob")"));
  EXPECT_TRUE(hub_->disconnect(bob.id()));
  EXPECT_THAT(alice.receive(kPatience).value_or(""), HasSubstr(R"("leaves":{"bob")"));
}

TEST_F(LocalHubTest, AnEventReachesOnlyTheClientThatSubscribed) {
  LocalClient alice = connect();
  LocalClient bob = connect();
  subscribe(alice, "repo:alice/app");
  subscribe(bob, "repo:bob/app");
  const EmitReceipt receipt = *hub_->emit("repo:alice/app", EventKind::kPrOpened, R"( {"number": 7} )");
  const std::string event = alice.receive(kPatience).value_or("");
  EXPECT_THAT(event, StartsWith(R"({"type":"event","channel":"repo:alice/app","event":"pr_opened","data":{"number": 7},)"));
  EXPECT_THAT(event, HasSubstr(receipt.event_id));
  EXPECT_EQ(receipt.offset, 1);
  EXPECT_THAT(event, HasSubstr(fmt::format(R"("epoch":"{}","offset":1)", receipt.epoch)));
  answer(bob, R"({"type":"ping"})");  // A turn has passed,
  EXPECT_EQ(bob.receive(kNow), std::nullopt);
}

TEST_F(LocalHubTest, AnUnfilteredRepositoryHearsItsSubChannels) {
  LocalClient whole = connect();
  LocalClient only_prs = connect();
  subscribe(whole, "repo:alice/app");
  subscribe(only_prs, "repo:alice/app/prs");
  emit("repo:alice/app/issues", "issue_opened");
  emit("repo:alice/app/prs", "pr_opened");
  EXPECT_THAT(whole.receive(kPatience).value_or(""), HasSubstr("issue_opened"));
  EXPECT_THAT(whole.receive(kPatience).value_or(""), HasSubstr("pr_opened"));
  EXPECT_THAT(only_prs.receive(kPatience).value_or(""), HasSubstr("pr_opened"));
}

TEST_F(LocalHubTest, StatsAfterOneOfEach) {
  LocalClient client = connect();
  subscribe(client, "repo:alice/app");
  subscribe(client, "repo:alice/app");  // Not a new one.
  emit("repo:alice/app", "push");
  EXPECT_EQ(hub_->stats().to_json(),
            R"({"current_connections":1,"total_connections":1,"total_subscriptions":1,"total_events":1})");
}

TEST_F(LocalHubTest, TheHundredAndFirstSubscriptionIsRefused) {
  LocalClient client = connect();
  for (int i = 0; i < 100; ++i)
    EXPECT_THAT(subscribe(client, fmt::format("user:u{}", i)), StartsWith(R"({"type":"subscribed")"));
  EXPECT_THAT(subscribe(client, "user:one_more"), HasSubstr("subscription limit exceeded: max 100 subscriptions"));
  EXPECT_THAT(subscribe(client, "user:u0"), StartsWith(R"({"type":"subscribed")"));
}

TEST_F(LocalHubTest, AnAnnouncementReachesEveryone) {
  LocalClient one = connect();
  LocalClient two = connect();
  ASSERT_TRUE(hub_->announce("maintenance at noon"));
  EXPECT_EQ(one.receive(kPatience), "maintenance at noon");
  EXPECT_EQ(two.receive(kPatience), "maintenance at noon");
  EXPECT_EQ(hub_->announce("\xFF").error().kind, ErrorKind::kInvalid);
}

// --- Clients

TEST_F(LocalHubTest, WhatIsKnownOfAClient) {
  LocalClient alice = connect({.user_id = "alice", .ip_address = "192.0.2.7", .user_agent = "bell/1"});
  LocalClient nobody = connect();
  const std::optional<ClientMetadata> known = hub_->client(alice.id());
  ASSERT_TRUE(known);
  EXPECT_EQ(known->user_id, "alice");
  EXPECT_EQ(known->ip_address, "192.0.2.7");
  EXPECT_EQ(known->user_agent, "bell/1");
  EXPECT_GT(known->connected_at, 1'700'000'000);
  EXPECT_EQ(known->connected_at, alice.metadata().connected_at);
  EXPECT_EQ(hub_->client(nobody.id())->ip_address, "local");
  EXPECT_NE(alice.id(), nobody.id());

  alice.close();
  EXPECT_FALSE(hub_->client(alice.id()));
  EXPECT_FALSE(hub_->client("0000000000000000"));
  EXPECT_FALSE(hub_->client("nonsense"));
}

TEST_F(LocalHubTest, AClosedClientGivesWhatItHadAndThenNothing) {
  LocalClient client = connect();
  ASSERT_TRUE(client.handle_command(R"({"type":"ping"})"));
  EXPECT_FALSE(client.closed());
  EXPECT_EQ(client.close_reason(), "");
  client.close();
  EXPECT_EQ(hub_->connection_count(), 0);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(client.close_reason(), "closed by this program");
  EXPECT_EQ(client.receive(kPatience), R"({"type":"pong"})");
  EXPECT_EQ(client.receive(kPatience), std::nullopt);
  EXPECT_EQ(client.handle_command(R"({"type":"ping"})").error().kind, ErrorKind::kUnavailable);
}

TEST_F(LocalHubTest, AHandleThatGoesEndsItsClient) {
  LocalClient first = connect();
  {
    LocalClient second = connect();
    EXPECT_EQ(hub_->connection_count(), 2);
    first = std::move(second);
  }
  EXPECT_EQ(hub_->connection_count(), 1);
  EXPECT_EQ(answer(first, R"({"type":"ping"})"), R"({"type":"pong"})");
}

TEST_F(LocalHubTest, ClientsPublishToEachOther) {
  LocalClient alice = connect({.user_id = "alice"});
  LocalClient bob = connect();
  subscribe(bob, "room:42");
  subscribe(alice, "room:42");
  ASSERT_TRUE(alice.handle_command(R"({"type":"publish","channel":"room:42","event":"new_msg","data":{"text":"hi"},"id":1})"));
  EXPECT_THAT(alice.receive(kNow).value_or(""), HasSubstr(R"("data":{"text":"hi"})"));  // Its own copy comes first.
  EXPECT_THAT(alice.receive(kNow).value_or(""), StartsWith(R"({"type":"published","channel":"room:42","id":1)"));
  EXPECT_THAT(bob.receive(kNow).value_or(""), HasSubstr(R"("data":{"text":"hi"})"));
}

// What a recovery brings travels in frames of many messages, and is received one by one.
TEST_F(LocalHubTest, ARunOfMessagesIsReceivedOneByOne) {
  const EmitReceipt first = emit("room:42", "said", "0");
  for (int i = 1; i < 50; ++i) emit("room:42", "said", std::to_string(i));
  LocalClient client = connect();
  const std::string answered =
      answer(client, fmt::format(R"({{"type":"subscribe","channel":"room:42","recover":{{"epoch":"{}","offset":{}}}}})",
                                 first.epoch, *first.offset));
  EXPECT_THAT(answered, HasSubstr(R"("recovered":true)"));
  for (int i = 1; i < 50; ++i) {
    const std::optional<std::string> message = client.receive(kNow);
    ASSERT_TRUE(message) << i;
    EXPECT_THAT(*message, HasSubstr(fmt::format(R"("event":"said","data":{},)", i)));
    const Result<Event> event = Event::from_json(*message);
    EXPECT_TRUE(event) << *message;
  }
  EXPECT_EQ(client.receive(kNow), std::nullopt);
}

TEST_F(LocalHubTest, ConnectionsBeyondTheLimitAreRefused) {
  ServerOptions options;
  options.limits.connections_max = 2;
  start(options);
  LocalClient one = connect();
  LocalClient two = connect();
  const Result<LocalClient> three = hub_->connect();
  ASSERT_FALSE(three);
  EXPECT_EQ(three.error().kind, ErrorKind::kLimit);
  EXPECT_EQ(three.error().text, "failed to send message: maximum connections reached");
  two.close();
  EXPECT_TRUE(hub_->connect());
}

// --- Slow clients

class SlowLocalClientTest : public LocalHubTest {
 protected:
  static constexpr int kEvents = 1000;

  static ServerOptions small() {
    ServerOptions options;
    options.limits.message_bytes = 4096;
    options.limits.outbox_bytes = 8192;
    return options;
  }
  void flood() {
    const std::string data = '"' + std::string(300, 'x') + '"';
    for (int i = 0; i < kEvents; ++i) emit("room:loud", "noise", data);
  }
};

TEST_F(SlowLocalClientTest, IsToldHowMuchItLost) {
  start(small());
  LocalClient slow = connect();
  LocalClient other = connect();
  subscribe(slow, "room:loud");
  flood();
  ASSERT_TRUE(slow.handle_command(R"({"type":"ping","id":"delivered"})"));

  std::size_t events = 0, missed = 0;
  while (events + missed < kEvents) {
    const std::optional<std::string> message = slow.receive(kPatience);
    ASSERT_TRUE(message) << events << " events, " << missed << " missed";
    const std::string_view gap = R"({"type":"gap","channel":"room:loud","missed":)";
    if (message->starts_with(gap)) missed += std::stoul(message->substr(gap.size()));
    if (message->starts_with(R"({"type":"event")")) ++events;
  }
  EXPECT_GT(missed, 0);
  EXPECT_EQ(events + missed, kEvents);
  EXPECT_LT(events, kEvents / 2);  // The queue and the outbox hold a frame each, and a frame at most 64 KiB of a run.

  // It goes on, and nobody else was held up.
  EXPECT_EQ(answer(other, R"({"type":"ping"})"), R"({"type":"pong"})");
  emit("room:loud", "afterwards");
  std::string last = slow.receive(kPatience).value_or("");
  if (last.starts_with(R"({"type":"pong")")) last = slow.receive(kPatience).value_or("");
  EXPECT_THAT(last, HasSubstr("afterwards"));
}

TEST_F(SlowLocalClientTest, IsClosedWhereThatIsThePolicy) {
  ServerOptions options = small();
  options.limits.slow_consumer = SlowConsumer::kClose;
  start(options);
  LocalClient slow = connect();
  LocalClient other = connect();
  subscribe(slow, "room:loud");
  flood();
  EXPECT_EQ(answer(other, R"({"type":"ping"})"), R"({"type":"pong"})");  // All is delivered.
  EXPECT_EQ(hub_->connection_count(), 1);
  std::size_t events = 0;
  while (slow.receive(kPatience)) ++events;
  EXPECT_TRUE(slow.closed());
  EXPECT_THAT(slow.close_reason(), HasSubstr("slow consumer"));
  EXPECT_GT(events, 0);
  EXPECT_LT(events, kEvents);
}

TEST_F(SlowLocalClientTest, ACommandLargerThanAMessageMayBeIsRefused) {
  start(small());
  LocalClient client = connect();
  EXPECT_EQ(client.handle_command(std::string(4097, ' ')).error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(hub_->emit("room:x", "e", std::string(4097, '1')).error().kind, ErrorKind::kTooLarge);
}

// --- Publishing

TEST_F(LocalHubTest, EmitRefusesWhatCannotBePublished) {
  EXPECT_EQ(hub_->emit("repo:onlyname", "push", "{}").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(hub_->emit("", "push", "{}").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(hub_->emit("room:x", "", "{}").error().kind, ErrorKind::kInvalid);
  const Result<EmitReceipt> no_json = hub_->emit("room:x", "push", "{]");
  ASSERT_FALSE(no_json);
  EXPECT_EQ(no_json.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(no_json.error().text, StartsWith("data is no JSON: "));
  EXPECT_EQ(hub_->stats().total_events, 0);
}

TEST_F(LocalHubTest, AChannelWithoutHistoryGivesNoPosition) {
  ServerOptions options;
  options.channels.push_back({.match = "lobby", .history_count = 0});
  start(options);
  const EmitReceipt receipt = emit("lobby");
  EXPECT_EQ(receipt.event_id.size(), 36);
  EXPECT_EQ(receipt.epoch, "");
  EXPECT_FALSE(receipt.offset);
}

TEST_F(LocalHubTest, ChannelRulesAreForClientsOnly) {
  ServerOptions options;
  options.channels.push_back({.match = "news", .publish = ChannelAccess::kNobody});
  start(options);
  LocalClient client = connect();
  EXPECT_THAT(answer(client, R"({"type":"publish","channel":"news","event":"e","data":1})"),
              HasSubstr(R"("code":"forbidden")"));
  EXPECT_TRUE(hub_->emit("news", "e", "1"));
}

TEST_F(LocalHubTest, OptionsThatContradictAreRefused) {
  ServerOptions options;
  options.limits.outbox_bytes = options.limits.message_bytes;
  const auto refused = LocalHub::start(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(refused.error().text, HasSubstr("limits.outbox_bytes"));

  ServerOptions elsewhere;
  elsewhere.listen = "0.0.0.0:1";  // Of no matter here.
  EXPECT_TRUE(LocalHub::start(elsewhere));
}

// --- Listening

TEST_F(LocalHubTest, AListenerHearsEverythingInOrder) {
  EventListener listener = hub_->listen();
  const EmitReceipt push = *hub_->emit("repo:alice/app", EventKind::kPush, PushRecord{.ref = "refs/heads/main"}.to_json());
  emit("room:42", "new_msg", R"([1, 2])");

  const std::optional<Event> first = listener.next(kPatience);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->channel, "repo:alice/app");
  EXPECT_EQ(first->kind(), EventKind::kPush);
  EXPECT_EQ(first->event_id, push.event_id);
  EXPECT_GT(first->timestamp, 1'700'000'000);
  EXPECT_EQ(PushRecord::from_json(first->data)->ref, "refs/heads/main");
  EXPECT_EQ(listener.next(kPatience)->data, "[1, 2]");
  EXPECT_FALSE(listener.next(kNow));
  EXPECT_EQ(listener.take_lost(), 0);
}

TEST_F(LocalHubTest, ASlowListenerLosesTheOldestAndKnowsHowMany) {
  EventListener listener = hub_->listen();
  for (int i = 0; i < 1030; ++i) emit("room:x", "n", std::to_string(i));
  EXPECT_EQ(listener.take_lost(), 6);
  EXPECT_EQ(listener.take_lost(), 0);
  for (int i = 6; i < 1030; ++i) ASSERT_EQ(listener.next(kNow)->data, std::to_string(i));
  EXPECT_FALSE(listener.next(kNow));
}

// --- Endings

TEST_F(LocalHubTest, HandlesOutliveTheHub) {
  LocalClient client = connect();
  EventListener listener = hub_->listen();
  subscribe(client, "room:x");
  emit("room:x", "last_words");
  hub_.reset();

  EXPECT_TRUE(client.closed());
  EXPECT_EQ(client.close_reason(), "the hub has stopped");
  EXPECT_THAT(client.receive(kPatience).value_or(""), HasSubstr("last_words"));
  EXPECT_EQ(client.receive(kPatience), std::nullopt);
  EXPECT_EQ(client.handle_command(R"({"type":"ping"})").error().kind, ErrorKind::kUnavailable);
  client.close();

  EXPECT_TRUE(listener.closed());
  EXPECT_EQ(listener.next(kPatience)->event, "last_words");
  EXPECT_FALSE(listener.next(kPatience));
}

TEST_F(LocalHubTest, TheEndOfTheHubWakesWhoWaits) {
  LocalClient client = connect();
  EventListener listener = hub_->listen();
  std::latch waiting(2);
  std::thread receiver([&] {
    waiting.count_down();
    EXPECT_EQ(client.receive(kPatience), std::nullopt);
    EXPECT_TRUE(client.closed());
  });
  std::thread hearer([&] {
    waiting.count_down();
    EXPECT_FALSE(listener.next(kPatience));
    EXPECT_TRUE(listener.closed());
  });
  waiting.wait();
  hub_.reset();
  receiver.join();
  hearer.join();
}

TEST_F(LocalHubTest, TheHubEndsWhileClientsTalk) {
  std::vector<LocalClient> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(connect());
  std::latch talking(4);
  std::vector<std::thread> threads;
  for (LocalClient& client : clients) {
    threads.emplace_back([&client, &talking] {
      bool counted = false;
      while (client.handle_command(R"({"type":"ping"})")) {
        EXPECT_EQ(client.receive(kPatience), R"({"type":"pong"})");
        if (!std::exchange(counted, true)) talking.count_down();
      }
      EXPECT_TRUE(client.closed());
    });
  }
  talking.wait();
  hub_.reset();
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LocalHubTest, ManyThreadsEmitWhileClientsComeAndGo) {
  constexpr int kThreads = 3, kEach = 60;
  EventListener listener = hub_->listen();
  LocalClient steady = connect();
  subscribe(steady, "room:x");
  std::atomic<int> heard = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(hub_->emit("room:x", fmt::format("from_{}", t), std::to_string(i)));
    });
    threads.emplace_back([this, &heard] {
      for (int i = 0; i < kEach; ++i) {
        LocalClient client = connect();
        EXPECT_THAT(subscribe(client, "room:x"), StartsWith(R"({"type":"subscribed")"));
        EXPECT_TRUE(hub_->client(client.id()));
        if (i % 2 == 0) {
          EXPECT_TRUE(hub_->disconnect(client.id()));
        }
        while (client.receive(kNow)) ++heard;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  // Each emitter's events arrive in its order, all of them, at who stays.
  std::array<int, kThreads> next{};
  for (int i = 0; i < kThreads * kEach; ++i) {
    const std::optional<std::string> message = steady.receive(kPatience);
    ASSERT_TRUE(message);
    const Result<Event> event = Event::from_json(*message);
    ASSERT_TRUE(event) << *message;
    const auto from = static_cast<std::size_t>(event->event.back() - '0');
    EXPECT_EQ(event->data, std::to_string(next[from]++));
    EXPECT_TRUE(listener.next(kNow));
  }
  EXPECT_EQ(hub_->stats().total_events, kThreads * kEach);
  EXPECT_EQ(hub_->stats().total_connections, 1 + kThreads * kEach);
  EXPECT_EQ(hub_->connection_count(), 1);
}

}  // namespace
}  // namespace carillon
