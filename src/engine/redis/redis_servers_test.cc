#include "engine/redis/redis_servers.h"

#include <gtest/gtest.h>

#include "engine/redis/redis_slots.h"
#include "os/certificates_double.h"
#include "server/redis_world.h"

namespace carillon {
namespace {

// Writes down what it hears. Read on the loop only.
struct Listener final : RedisSubscriber {
  void on_message(std::size_t master, std::string_view channel, std::string_view message) override {
    note(std::string(channel) + "=" + std::string(message));
    masters.push_back(master);
  }
  void on_deaf(std::size_t) override { note("deaf"); }
  void on_hearing(std::size_t) override { note("hearing"); }

  void note(std::string what) { story += (story.empty() ? "" : " ") + std::move(what); }
  std::size_t count(std::string_view word) const {
    std::size_t times = 0;
    for (std::size_t at = story.find(word); at != std::string::npos; at = story.find(word, at + 1)) ++times;
    return times;
  }

  std::string story;
  std::vector<std::size_t> masters;  // Of each message.
};

RedisOptions options_for(std::vector<RedisOptions::Server> servers) {
  RedisOptions options;
  options.servers = std::move(servers);
  options.retry_min = Millis{5};
  options.retry_max = Millis{50};
  options.wait_max = Millis{30'000};
  options.command_timeout = Millis{20'000};
  return options;
}

// A client is asked for a lot in one turn; the answers as text, in the order in which they came.
std::vector<std::string> ask_at_once(RedisWorld& world, std::size_t count, std::function<std::vector<std::string>(int)> words) {
  return world.await<std::vector<std::string>>([&](auto done) {
    struct All {
      std::vector<std::string> answers;
      UniqueFunction<void(std::vector<std::string>)> finished;
    };
    const auto all = std::make_shared<All>(All{{}, std::move(done)});
    for (std::size_t i = 0; i < count; ++i) {
      RespCommand command;
      const std::vector<std::string> asked = words(static_cast<int>(i));
      for (const std::string& word : asked) command.add(std::string_view(word));
      world.client().send(asked[1], std::move(command), [all, count](Result<RespValue> value) {
        all->answers.push_back(RedisWorld::describe(value));
        if (all->answers.size() == count) all->finished(std::move(all->answers));
      });
      EXPECT_TRUE(all->answers.empty()) << "answered inside the call";
    }
  });
}

std::vector<std::string> numbers_to(std::size_t count) {
  std::vector<std::string> numbers;
  for (std::size_t i = 1; i <= count; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

// A listener that leaves before the world does.
class Listening {
 public:
  explicit Listening(RedisWorld& world) : world_(world) {}
  ~Listening() {
    world_.on_loop([this] {
      for (const std::string& channel : channels_) world_.client().unsubscribe(channel, listener_);
      for (const std::string& pattern : patterns_) world_.client().unsubscribe_pattern(pattern, listener_);
    });
  }
  Result<void> channel(const std::string& name) {
    channels_.push_back(name);
    return world_.subscribe(name, listener_);
  }
  Result<void> pattern(const std::string& name) {
    patterns_.push_back(name);
    return world_.subscribe_pattern(name, listener_);
  }
  std::string story() {
    return world_.on_loop([this] { return listener_.story; });
  }
  std::vector<std::size_t> masters() {
    return world_.on_loop([this] { return listener_.masters; });
  }
  void until_heard(const std::string& word, std::size_t times = 1) {
    world_.until(word.c_str(), [&] { return listener_.count(word) >= times; });
  }
  void forget() {
    world_.on_loop([this] { listener_.story.clear(); });
  }
  RedisSubscriber& subscriber() { return listener_; }

 private:
  RedisWorld& world_;
  Listener listener_;
  std::vector<std::string> channels_, patterns_;
};

// ---- commands to one server ----

TEST(RedisServersTest, CommandsOfOneTurnAreAnsweredInTheirOrder) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  EXPECT_EQ(ask_at_once(world, 1'000, [](int) { return std::vector<std::string>{"INCR", "n"}; }), numbers_to(1'000));
}

TEST(RedisServersTest, WhatIsSentInOneTurnLeavesInFewWrites) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  ASSERT_EQ(world.text({"SET", "a", "1"}), "OK");
  const long before = std::stol(redis.info("total_reads_processed"));
  ask_at_once(world, 1'000, [](int) { return std::vector<std::string>{"INCR", "n"}; });
  EXPECT_LT(std::stol(redis.info("total_reads_processed")) - before, 20);
}

TEST(RedisServersTest, EveryKindOfAnswerIsAValue) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  EXPECT_EQ(world.text({"SET", "a", "text"}), "OK");
  EXPECT_EQ(world.text({"GET", "a"}), "text");
  EXPECT_EQ(world.text({"GET", "none"}), "null");
  EXPECT_EQ(world.text({"RPUSH", "l", "1", "2"}), "2");
  EXPECT_EQ(world.text({"LRANGE", "l", "0", "-1"}), "[1 2]");
  EXPECT_TRUE(world.text({"GET", "l"}).starts_with("-WRONGTYPE"));
}

TEST(RedisServersTest, AValueOfManyMegabytesGoesBothWays) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  std::string big(20 << 20, 'x');
  for (std::size_t i = 0; i < big.size(); i += 1'000) big[i] = static_cast<char>('a' + i / 1'000 % 26);
  ASSERT_EQ(world.text({"SET", "big", big}), "OK");
  EXPECT_TRUE(world.text({"GET", "big"}) == big);
}

TEST(RedisServersTest, ATransactionIsAnsweredByWhatExecSays) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  const auto transact = [&](std::vector<RespCommand> commands) {
    return RedisWorld::describe(
        world.await<Result<RespValue>>([&](auto done) { world.client().transact("n", std::move(commands), std::move(done)); }));
  };
  EXPECT_EQ(transact({{"INCR", "n"}, {"INCR", "n"}, {"GET", "n"}}), "[1 2 2]");
  EXPECT_TRUE(transact({{"INCR", "n"}, {"NOCOMMAND", "n"}}).starts_with("-ERR unknown command"));
  EXPECT_EQ(world.text({"GET", "n"}), "2");
}

TEST(RedisServersTest, AScriptIsLoadedOnceAndAgainWhenItWasForgotten) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  const RedisScript script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  const auto run = [&] {
    return RedisWorld::describe(world.await<Result<RespValue>>([&](auto done) {
      const std::string key = "n";
      world.client().run(script, {&key, 1}, {"5"}, std::move(done));
    }));
  };
  EXPECT_EQ(run(), "5");
  EXPECT_EQ(run(), "10");
  EXPECT_EQ(redis.info("cmdstat_script|load").substr(0, 8), "calls=1,");
  redis.command({"SCRIPT", "FLUSH"});
  EXPECT_EQ(run(), "15");
}

TEST(RedisServersTest, ScriptsThatWereForgottenAreRunInTheirOrder) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  const RedisScript script("return redis.call('RPUSH', KEYS[1], ARGV[1])");
  const std::string key = "l";
  const auto run = [&](int i, auto done) { world.client().run(script, {&key, 1}, {std::to_string(i)}, std::move(done)); };
  EXPECT_TRUE(world.await<Result<RespValue>>([&](auto done) { run(0, std::move(done)); }));
  redis.command({"SCRIPT", "FLUSH"});
  EXPECT_TRUE(world.await<Result<RespValue>>([&](auto done) {
    for (int i = 1; i < 50; ++i) run(i, [](const Result<RespValue>& value) { EXPECT_TRUE(value); });
    run(50, std::move(done));
  }));
  std::string expected = "[";
  for (int i = 0; i <= 50; ++i) expected += (i > 0 ? " " : "") + std::to_string(i);
  EXPECT_EQ(world.text({"LRANGE", "l", "0", "-1"}), expected + "]");
}

TEST(RedisServersTest, TooMuchThatWaitsIsRefused) {
  RedisProcess redis;
  RedisOptions options = options_for({redis.server()});
  options.waiting_max = 10;
  options.waiting_bytes_max = 10'000;
  RedisWorld world(options);
  const std::vector<std::string> answers = ask_at_once(world, 12, [](int) { return std::vector<std::string>{"INCR", "n"}; });
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& answer) { return answer.starts_with('-'); }), 2);
  const Result<RespValue> refused = world.send({"SET", "big", std::string(10'001, 'x')});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kLimit);
  EXPECT_EQ(world.text({"INCR", "n"}), "11") << "what was answered counts no more";
}

TEST(RedisServersTest, WhatNobodyWaitsForIsDoneAndCountsNoMore) {
  RedisProcess redis;
  RedisOptions options = options_for({redis.server()});
  options.waiting_max = 10;
  RedisWorld world(options);
  for (int round = 0; round < 3; ++round) {
    world.on_loop([&] {
      for (int i = 0; i < 9; ++i) world.client().send("n", {"INCR", "n"}, {});
    });
    ASSERT_EQ(world.text({"GET", "n"}), std::to_string(9 * (round + 1)));
  }
}

TEST(RedisServersTest, AUserWithAPasswordAndADatabaseIsServed) {
  RedisProcess redis({.password = "secret"});
  redis.command({"ACL", "SETUSER", "alice", "on", ">hers", "~*", "&*", "+@all"});
  RedisOptions options = options_for({redis.server()});
  options.user = "alice";
  options.password = "hers";
  options.database = 3;
  RedisWorld world(options);
  EXPECT_EQ(world.text({"SET", "a", "1"}), "OK");
  EXPECT_EQ(world.text({"ACL", "WHOAMI"}), "alice");
  EXPECT_EQ(redis.info("db3").substr(0, 6), "keys=1");
}

TEST(RedisServersTest, AWrongPasswordIsToldAsSuch) {
  RedisProcess redis({.password = "secret"});
  RedisOptions options = options_for({redis.server()});
  options.wait_max = Millis{300};
  options.password = "guess";
  {
    RedisWorld world(options);
    const Result<RespValue> refused = world.send({"GET", "a"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(refused.error().text.find("the user or the password is refused: WRONGPASS"), std::string::npos)
        << refused.error().text;
  }
  options.password.clear();
  RedisWorld world(options);
  EXPECT_NE(world.text({"GET", "a"}).find("NOAUTH"), std::string::npos);
}

TEST(RedisServersTest, RedisIsSpokenToUnderTls) {
  const CertificateAuthority authority, other;
  const auto certificate = authority.issue("DNS:redis.example");
  const auto mine = authority.issue("DNS:me");
  RedisProcess redis({.password = "secret",
                      .arguments = {"--tls-cert-file", certificate->certificate.path(), "--tls-key-file",
                                    certificate->key.path(), "--tls-ca-cert-file", authority.file()},
                      .tls = true});
  RedisOptions options = options_for({{.host = "127.0.0.1", .port = redis.tls_port()}});
  options.password = "secret";
  options.wait_max = Millis{300};
  options.tls = DialTls{.ca_file = authority.file()};
  {
    RedisWorld world(options);
    EXPECT_NE(world.text({"GET", "a"}).find("certificate is refused: IP address mismatch"), std::string::npos);
  }
  options.tls->server_name = "redis.example";
  options.tls->ca_file = other.file();
  {
    RedisWorld world(options);
    EXPECT_NE(world.text({"GET", "a"}).find("certificate is refused: "), std::string::npos);
  }
  options.tls->ca_file = authority.file();
  options.wait_max = Millis{30'000};
  RedisWorld world(options);
  EXPECT_EQ(ask_at_once(world, 1'000, [](int) { return std::vector<std::string>{"INCR", "n"}; }), numbers_to(1'000));
  EXPECT_EQ(world.text({"SET", "big", std::string(5 << 20, 'x')}), "OK");
  EXPECT_EQ(world.text({"GET", "big"}).size(), 5u << 20);
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  redis.command({"PUBLISH", "c", "there"});
  listening.until_heard("c=there");
}

// ---- a server that comes and goes ----

TEST(RedisServersTest, WhatIsAskedWhileRedisIsAwayIsAnsweredWhenItIsBack) {
  RedisProcess redis({.append_only = true});
  RedisWorld world(options_for({redis.server()}));
  ASSERT_EQ(world.text({"SET", "a", "kept"}), "OK");
  redis.kill();
  std::promise<std::string> answer;
  world.on_loop([&] {
    world.client().send("a", {"GET", "a"}, [&](Result<RespValue> value) { answer.set_value(RedisWorld::describe(value)); });
  });
  redis.start();
  const std::string text = answer.get_future().get();
  // It was sent before the loss was noticed, or it waited.
  EXPECT_TRUE(text == "kept" || text.find("may have been executed") != std::string::npos) << text;
  EXPECT_EQ(world.text({"GET", "a"}), "kept");
}

TEST(RedisServersTest, WithoutRedisACommandFailsInTime) {
  RedisOptions options = options_for({{.host = "127.0.0.1", .port = RedisProcess::free_port()}});
  options.wait_max = Millis{100};
  RedisWorld world(options);
  const Result<RespValue> failed = world.send({"GET", "a"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(failed.error().text.find("Connection refused"), std::string::npos) << failed.error().text;
}

TEST(RedisServersTest, ARedisThatHangsIsGivenUp) {
  RedisProcess redis;
  RedisOptions options = options_for({redis.server()});
  options.command_timeout = Millis{100};
  options.connect_timeout = Millis{100};
  options.wait_max = Millis{200};
  RedisWorld world(options);
  ASSERT_EQ(world.text({"SET", "a", "1"}), "OK");
  redis.freeze();
  const Result<RespValue> hung = world.send({"INCR", "a"});
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(hung.error().text.find("no answer within 100 ms; the command may have been executed"), std::string::npos)
      << hung.error().text;
  const Result<RespValue> next = world.send({"GET", "a"});
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().kind, ErrorKind::kUnavailable);
  redis.thaw();
  wait_until_redis("it answers again", [&] { return world.send({"GET", "a"}).has_value(); });
}

TEST(RedisServersTest, AnIdleConnectionThatDiedIsFound) {
  RedisProcess redis;
  RedisOptions options = options_for({redis.server()});
  options.command_timeout = Millis{100};
  options.connect_timeout = Millis{100};
  RedisWorld world(options);
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  listening.until_heard("hearing");
  redis.freeze();
  listening.until_heard("deaf");
  redis.thaw();
  listening.until_heard("hearing", 2);
}

TEST(RedisServersTest, AReplicaThatBecomesTheMasterIsFound) {
  RedisProcess first, second;
  second.command({"REPLICAOF", "127.0.0.1", std::to_string(first.port())});
  wait_until_redis("the replica follows", [&] { return second.info("master_link_status") == "up"; });
  RedisOptions options = options_for({second.server(), first.server()});
  options.command_timeout = Millis{5'000};
  RedisWorld world(options);
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  ASSERT_EQ(world.text({"SET", "a", "1"}), "OK");
  ASSERT_EQ(first.text({"GET", "a"}), "1");
  wait_until_redis("the replica has it", [&] { return second.text({"GET", "a"}) == "1"; });
  listening.until_heard("hearing");
  first.kill();
  second.command({"REPLICAOF", "NO", "ONE"});
  wait_until_redis("the other is used", [&] { return world.text({"INCR", "a"}) == "2"; });
  listening.until_heard("hearing", 2);
  EXPECT_EQ(listening.story(), "hearing deaf hearing");
  second.command({"PUBLISH", "c", "there"});
  listening.until_heard("c=there");
}

TEST(RedisServersTest, AMasterThatTakesNoWritesAnyMoreIsLeft) {
  RedisProcess first, second;
  RedisWorld world(options_for({first.server(), second.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  ASSERT_EQ(world.text({"SET", "a", "1"}), "OK");
  first.command({"REPLICAOF", "127.0.0.1", std::to_string(second.port())});
  EXPECT_EQ(ask_at_once(world, 100, [](int) { return std::vector<std::string>{"INCR", "n"}; }), numbers_to(100));
  EXPECT_EQ(second.text({"GET", "n"}), "100");
  second.command({"PUBLISH", "c", "there"});
  listening.until_heard("c=there");
}

TEST(RedisServersTest, AnAddressThatLeadsToAnotherRedisIsFollowedByItsSubscriptions) {
  RedisProcess first, second;
  RedisWorld world(options_for({first.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  ASSERT_EQ(world.text({"SET", "a", "1"}), "OK");
  listening.until_heard("hearing");
  world.on_loop([&] { world.dialer().redirect(first.port(), second.port()); });
  first.command({"CLIENT", "KILL", "TYPE", "normal"});
  wait_until_redis("the other is used", [&] { return world.text({"SET", "b", "2"}) == "OK"; });
  EXPECT_EQ(second.text({"GET", "b"}), "2");
  listening.until_heard("hearing", 2);
  EXPECT_EQ(listening.story(), "hearing deaf hearing");
  second.command({"PUBLISH", "c", "there"});
  listening.until_heard("c=there");
}

TEST(RedisServersTest, WhatRedisCannotServeWhileItLoadsIsAskedAgain) {
  RedisProcess redis(
      {.append_only = true, .arguments = {"--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024"}});
  redis.command({"EVAL", "for i = 1, 2000 do redis.call('SET', 'k' .. i, 'v') end", "0"});
  RedisWorld world(options_for({redis.server()}));
  ASSERT_EQ(world.text({"SET", "a", "1"}), "OK");
  redis.command({"CONFIG", "SET", "key-load-delay", "1000"});  // Microseconds a key.
  std::thread loading([&] { redis.command({"DEBUG", "LOADAOF"}); });
  wait_until_redis("it loads", [&] { return redis.text({"GET", "a"}).starts_with("LOADING"); });
  EXPECT_EQ(world.text({"GET", "a"}), "1");
  loading.join();
}

// ---- subscriptions ----

TEST(RedisServersTest, AMessageIsHeardFromTheConfirmationOn) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  redis.command({"PUBLISH", "c", "one"});
  redis.command({"PUBLISH", "other", "not this"});
  redis.command({"PUBLISH", "c", std::string("t\r\n\0wo", 6)});
  listening.until_heard(std::string("c=t\r\n\0wo", 8));
  listening.until_heard("hearing");
  EXPECT_EQ(listening.story().find("other"), std::string::npos);
}

TEST(RedisServersTest, WhoSubscribesLaterIsToldThatRedisIsHeard) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening first(world), later(world), gone(world);
  ASSERT_TRUE(first.channel("c"));
  first.until_heard("hearing");
  world.on_loop([&] {
    world.client().subscribe("gone", gone.subscriber(), {});
    world.client().unsubscribe("gone", gone.subscriber());
  });
  ASSERT_TRUE(later.channel("d"));
  later.until_heard("hearing");
  ASSERT_TRUE(later.channel("e"));
  ASSERT_TRUE(world.after_heard("e"));
  EXPECT_EQ(first.story() + "," + later.story() + "," + gone.story(), "hearing,hearing,");
}

TEST(RedisServersTest, SubscriptionsAreCountedAndEndWithTheLast) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening one(world), two(world);
  ASSERT_TRUE(one.channel("c"));
  ASSERT_TRUE(one.channel("c"));
  ASSERT_TRUE(two.channel("c"));
  const auto leave = [&](Listening& who) { world.on_loop([&] { world.client().unsubscribe("c", who.subscriber()); }); };
  leave(one);
  redis.command({"PUBLISH", "c", "1"});
  one.until_heard("c=1");
  two.until_heard("c=1");
  leave(one);
  redis.command({"PUBLISH", "c", "2"});
  two.until_heard("c=2");
  EXPECT_EQ(one.story().find("c=2"), std::string::npos);
  leave(two);
  wait_until_redis("Redis knows of no subscription", [&] {
    return RedisWorld::describe(redis.command({"PUBSUB", "CHANNELS"})) == "[]";
  });
}

TEST(RedisServersTest, ASubscriptionThatEndedAndBeganAnewIsConfirmedAnew) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  std::promise<bool> again;
  world.on_loop([&] {
    RedisServers& client = world.client();
    client.unsubscribe("c", listening.subscriber());
    client.subscribe("c", listening.subscriber(), {});
    client.unsubscribe("c", listening.subscriber());
    client.subscribe("c", listening.subscriber(), [&](Result<void> done) { again.set_value(done.has_value()); });
  });
  EXPECT_TRUE(again.get_future().get());
  EXPECT_EQ(RedisWorld::describe(redis.command({"PUBLISH", "c", "there"})), "1");
  listening.until_heard("c=there");
}

TEST(RedisServersTest, OneMessageByManyNamesIsHeardOnce) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("room:1"));
  ASSERT_TRUE(listening.pattern("room:*"));
  ASSERT_TRUE(listening.pattern("*"));
  for (int i = 0; i < 3; ++i) redis.command({"PUBLISH", "room:1", "same"});
  redis.command({"PUBLISH", "room:2", "same"});
  redis.command({"PUBLISH", "room:2", "same"});
  redis.command({"PUBLISH", "end", ""});
  listening.until_heard("end=");
  listening.until_heard("hearing");
  EXPECT_EQ(world.on_loop([&] { return static_cast<Listener&>(listening.subscriber()).count("room:1=same"); }), 3u);
  EXPECT_EQ(world.on_loop([&] { return static_cast<Listener&>(listening.subscriber()).count("room:2=same"); }), 2u);
}

TEST(RedisServersTest, EachOfSeveralSubscribersHearsByItsOwnName) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening exact(world), wide(world);
  ASSERT_TRUE(exact.channel("c"));
  ASSERT_TRUE(wide.pattern("c*"));
  redis.command({"PUBLISH", "c", "1"});
  exact.until_heard("c=1");
  wide.until_heard("c=1");
  redis.command({"PUBLISH", "c2", "2"});
  wide.until_heard("c2=2");
  EXPECT_EQ(exact.story().find("c2"), std::string::npos);
}

TEST(RedisServersTest, SubscriptionsComeBackWithRedis) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  ASSERT_TRUE(listening.pattern("p*"));
  listening.until_heard("hearing");
  redis.kill();
  listening.until_heard("deaf");
  EXPECT_FALSE(world.on_loop([&] { return world.client().is_hearing(0); }));
  EXPECT_FALSE(world.after_heard("c"));
  redis.start();
  listening.until_heard("hearing", 2);
  EXPECT_TRUE(world.on_loop([&] { return world.client().is_hearing(0); }));
  redis.command({"PUBLISH", "c", "1"});
  redis.command({"PUBLISH", "p2", "2"});
  listening.until_heard("p2=2");
  EXPECT_EQ(listening.story(), "hearing deaf hearing c=1 p2=2");
}

TEST(RedisServersTest, HundredsOfSubscriptionsComeBack) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening listening(world);
  for (int i = 0; i < 400; ++i) {
    world.on_loop([&] { world.client().subscribe("c" + std::to_string(i), listening.subscriber(), {}); });
  }
  ASSERT_TRUE(listening.channel("last"));
  listening.until_heard("hearing");
  redis.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  listening.until_heard("hearing", 2);
  EXPECT_EQ(redis.info("pubsub_channels"), "401");
  world.on_loop([&] {
    for (int i = 0; i < 400; ++i) world.client().unsubscribe("c" + std::to_string(i), listening.subscriber());
  });
}

TEST(RedisServersTest, ASubscriptionWithoutRedisFailsAndIsStillWanted) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  ASSERT_EQ(world.text({"SET", "a", "1"}), "OK");
  Listening listening(world);
  ASSERT_TRUE(listening.channel("known"));
  listening.until_heard("hearing");
  redis.kill();
  listening.until_heard("deaf");
  const Result<void> failed = listening.channel("c");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::kUnavailable);
  redis.start();
  listening.until_heard("hearing", 2);
  redis.command({"PUBLISH", "c", "1"});
  listening.until_heard("c=1");
}

TEST(RedisServersTest, WhatWasPublishedBeforeTheBarrierHasBeenHeard) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(world.text({"PUBLISH", "c", std::to_string(i)}), "1");
    ASSERT_TRUE(world.after_heard("c"));
    ASSERT_NE(listening.story().find("c=" + std::to_string(i)), std::string::npos);
  }
}

TEST(RedisServersTest, BarriersOfOneTurnShareAPing) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Listening listening(world);
  ASSERT_TRUE(listening.channel("c"));
  listening.until_heard("hearing");
  const std::string before = redis.info("cmdstat_ping");
  const long pings = std::stol(before.substr(6));
  world.await<bool>([&](auto done) {
    const auto left = std::make_shared<int>(100);
    const auto all = std::make_shared<decltype(done)>(std::move(done));
    for (int i = 0; i < 100; ++i) {
      world.client().after_heard("c", [left, all](Result<void> heard) {
        EXPECT_TRUE(heard);
        if (--*left == 0) (*all)(true);
      });
    }
  });
  EXPECT_EQ(std::stol(redis.info("cmdstat_ping").substr(6)), pings + 1);
}

// A subscriber may change what is wanted while it hears.
struct Fickle final : RedisSubscriber {
  explicit Fickle(RedisServers& to) : client(to) {}
  void on_message(std::size_t, std::string_view channel, std::string_view) override {
    ++heard;
    client.unsubscribe(std::string(channel), *this);
    client.subscribe("next", *this, {});
  }
  void on_deaf(std::size_t) override {}
  void on_hearing(std::size_t) override {}
  RedisServers& client;
  int heard = 0;
};

TEST(RedisServersTest, ASubscriberMayLeaveInsideItsMessage) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  Fickle fickle(world.client());
  ASSERT_TRUE(world.subscribe("c", fickle));
  redis.command({"PUBLISH", "c", "1"});
  wait_until_redis("it has moved on", [&] { return RedisWorld::describe(redis.command({"PUBSUB", "CHANNELS"})) == "[next]"; });
  EXPECT_EQ(world.on_loop([&] { return fickle.heard; }), 1);
  world.on_loop([&] { world.client().unsubscribe("next", fickle); });
}

// ---- a cluster ----

RedisOptions cluster_options(const RedisClusterProcess& cluster) {
  RedisOptions options = options_for({cluster.servers().front()});
  options.cluster = true;
  return options;
}

// A key of each master, by its first slots.
std::vector<std::string> keys_of_masters() {
  std::vector<std::string> keys(RedisClusterProcess::kMasters);
  for (int i = 0; std::count(keys.begin(), keys.end(), "") > 0; ++i) {
    const std::string key = "{k" + std::to_string(i) + "}";
    const std::uint16_t slot = redis_slot_of(key);
    for (std::size_t m = 0; m < keys.size(); ++m) {
      if (slot >= RedisClusterProcess::kFirstSlots[m] && slot < RedisClusterProcess::kFirstSlots[m + 1]) keys[m] = key;
    }
  }
  return keys;
}

TEST(RedisClusterTest, KeysLieOnTheirMasters) {
  RedisClusterProcess cluster;
  RedisWorld world(cluster_options(cluster));
  const std::vector<std::string> keys = keys_of_masters();
  std::set<std::size_t> masters;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(world.text({"SET", keys[i], std::to_string(i)}), "OK");
    EXPECT_EQ(cluster[i].text({"GET", keys[i]}), std::to_string(i));
    masters.insert(world.on_loop([&] { return world.client().master_of(keys[i]); }));
  }
  EXPECT_EQ(masters.size(), 3u);
  const auto sizes =
      world.await<Result<std::vector<RespValue>>>([&](auto done) { world.client().send_all({"DBSIZE"}, std::move(done)); });
  ASSERT_TRUE(sizes);
  ASSERT_EQ(sizes->size(), 3u);
  for (const RespValue& size : *sizes) EXPECT_EQ(*size.number(), 1);
}

TEST(RedisClusterTest, WhatIsAskedOfEveryMasterWaitsUntilTheyAreKnown) {
  RedisClusterProcess cluster;
  RedisWorld world(cluster_options(cluster));
  const auto pongs =
      world.await<Result<std::vector<RespValue>>>([&](auto done) { world.client().send_all({"PING"}, std::move(done)); });
  ASSERT_TRUE(pongs);
  EXPECT_EQ(pongs->size(), 3u);
}

TEST(RedisClusterTest, ASlotMovesWhileItIsUsed) {
  RedisClusterProcess cluster;
  RedisWorld world(cluster_options(cluster));
  const std::string key = keys_of_masters()[0];
  const std::uint16_t slot = redis_slot_of(key);
  ASSERT_EQ(world.text({"SET", key + "other", "stays"}), "OK");
  std::vector<std::string> answers;
  std::size_t asked = 0;
  const auto increment = [&](std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) {
      world.on_loop([&] {
        ++asked;
        world.client().send(key, RespCommand{"INCR", key},
                            [&](Result<RespValue> value) { answers.push_back(RedisWorld::describe(value)); });
      });
    }
  };
  increment(100);
  cluster.begin_move(slot, 0, 1);
  increment(100);
  cluster.move_keys(slot, 0, 1);
  increment(100);
  cluster.end_move(slot, 1);
  increment(100);
  world.until("all are answered", [&] { return answers.size() == asked; });
  EXPECT_EQ(answers, numbers_to(400));
  EXPECT_EQ(cluster[1].text({"GET", key}), "400");
  world.until("the new master is known",
              [&] { return world.client().master_of(key) == world.client().master_of(keys_of_masters()[1]); });
}

TEST(RedisClusterTest, AKeyThatIsNotThereYetIsAskedForAtTheNewMaster) {
  RedisClusterProcess cluster;
  RedisWorld world(cluster_options(cluster));
  const std::string key = keys_of_masters()[0];
  cluster.begin_move(redis_slot_of(key), 0, 2);
  EXPECT_EQ(ask_at_once(world, 100, [&](int) { return std::vector<std::string>{"INCR", key}; }), numbers_to(100));
  const std::string answer = RedisWorld::describe(world.await<Result<RespValue>>([&](auto done) {
    world.client().transact(key, {{"INCR", key}, {"INCR", key}}, std::move(done));
  }));
  EXPECT_EQ(answer, "[101 102]");
  const RedisScript script("return redis.call('INCR', KEYS[1])");
  EXPECT_EQ(RedisWorld::describe(world.await<Result<RespValue>>([&](auto done) {
              world.client().run(script, {&key, 1}, {}, std::move(done));
            })),
            "103");
}

TEST(RedisClusterTest, APatternHearsEveryMessageOnce) {
  RedisClusterProcess cluster;
  RedisWorld world(cluster_options(cluster));
  Listening listening(world);
  ASSERT_TRUE(listening.pattern("*"));
  const std::vector<std::string> keys = keys_of_masters();
  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_TRUE(listening.channel(keys[i]));
  listening.until_heard("hearing", 3);
  listening.forget();
  for (int round = 0; round < 20; ++round) {
    for (const std::string& key : keys) EXPECT_FALSE(world.text({"PUBLISH", key, std::to_string(round)}).starts_with('-'));
  }
  for (const std::string& key : keys) {
    ASSERT_TRUE(world.after_heard(key));
    std::string heard = listening.story();
    std::size_t from = 0;
    for (int round = 0; round < 20; ++round) {
      const std::string message = key + "=" + std::to_string(round);
      from = heard.find(message, from);
      ASSERT_NE(from, std::string::npos) << message << " in " << heard;
    }
  }
  const std::vector<std::size_t> masters = listening.masters();
  EXPECT_EQ(masters.size(), 60u);
  EXPECT_EQ(std::set<std::size_t>(masters.begin(), masters.end()).size(), 3u);
}

TEST(RedisClusterTest, AChannelIsHeardWhereItsSlotHasMoved) {
  RedisClusterProcess cluster;
  RedisWorld world(cluster_options(cluster));
  Listening listening(world);
  const std::string key = keys_of_masters()[0];
  ASSERT_TRUE(listening.channel(key));
  listening.until_heard("hearing", 3);
  listening.forget();
  cluster.begin_move(redis_slot_of(key), 0, 1);
  cluster.end_move(redis_slot_of(key), 1);
  ASSERT_EQ(world.text({"SET", key, "1"}), "OK");
  listening.until_heard("hearing");
  EXPECT_TRUE(listening.story().starts_with("deaf hearing")) << listening.story();
  cluster[1].command({"PUBLISH", key, "there"});
  listening.until_heard(key + "=there");
  EXPECT_EQ(RedisWorld::describe(cluster[0].command({"PUBSUB", "CHANNELS"})), "[]");
}

TEST(RedisClusterTest, AReplicaTakesOverFromAMasterThatDied) {
  RedisClusterProcess cluster({.replicas = true});
  RedisWorld world(cluster_options(cluster));
  Listening listening(world);
  const std::vector<std::string> keys = keys_of_masters();
  ASSERT_TRUE(listening.channel(keys[2]));
  ASSERT_EQ(world.text({"SET", keys[2], "1"}), "OK");
  wait_until_redis("the replica has it", [&] {
    return cluster[2].info("connected_slaves") == "1" && cluster[5].info("master_link_status") == "up" &&
           RedisWorld::describe(cluster[2].command({"WAIT", "1", "100"})) == "1";
  });
  cluster[2].kill();
  wait_until_redis("the replica serves", [&] { return world.text({"INCR", keys[2]}) == "2"; });
  wait_until_redis("it is heard again", [&] { return world.after_heard(keys[2]).has_value(); });
  listening.forget();
  cluster[5].command({"PUBLISH", keys[2], "there"});
  listening.until_heard(keys[2] + "=there");
  EXPECT_EQ(world.text({"SET", keys[0], "1"}), "OK");
}

TEST(RedisClusterTest, AMasterThatIsAddedAndTakesSlotsIsUsed) {
  RedisClusterProcess cluster;
  RedisWorld world(cluster_options(cluster));
  Listening listening(world);
  ASSERT_TRUE(listening.pattern("*"));
  const std::string key = keys_of_masters()[0];
  const std::uint16_t slot = redis_slot_of(key);
  ASSERT_EQ(world.text({"SET", key, "1"}), "OK");
  cluster.add_master();
  cluster.begin_move(slot, 0, 3);
  cluster.move_keys(slot, 0, 3);
  cluster.end_move(slot, 3);
  EXPECT_EQ(world.text({"INCR", key}), "2");
  EXPECT_EQ(cluster[3].text({"GET", key}), "2");
  wait_until_redis("its messages are heard", [&] { return world.after_heard(key).has_value(); });
  world.until("it is heard", [&] { return world.client().is_hearing(world.client().master_of(key)); });
  cluster[3].command({"PUBLISH", key, "there"});
  listening.until_heard(key + "=there");
}

TEST(RedisClusterTest, ASingleRedisIsNoCluster) {
  RedisProcess redis;
  RedisOptions options = options_for({redis.server()});
  options.cluster = true;
  options.wait_max = Millis{200};
  RedisWorld world(options);
  EXPECT_NE(world.text({"GET", "a"}).find("cluster support disabled"), std::string::npos);
  Listening listening(world);
  EXPECT_FALSE(listening.channel("c"));
  EXPECT_FALSE(world.after_heard("c"));
  EXPECT_EQ(world.on_loop([&] { return world.client().master_of("c"); }), 0u);
}

}  // namespace
}  // namespace carillon
