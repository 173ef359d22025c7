// Presence through two hubs on two Redis engines: clients of different servers see each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/redis/redis_engine.h"
#include "server/redis_node_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RedisHubPresence : public testing::Test {
 protected:
  // A server: an engine on its own loop, a hub with one loop, its clients.
  struct Server {
    Server(const RedisOptions& redis, LoopThread& engine_loop, LoopThread& hub_loop)
        : engine_thread(engine_loop), thread(hub_loop) {
      engine_thread.run([&] {
        dialer = std::make_unique<TcpDialer>(engine_thread.loop());
        engine = std::make_unique<RedisEngine>(engine_thread.loop(), *dialer, clock, random, redis);
      });
      hub = std::make_unique<Hub>(*engine, clock, policy, HubOptions{});
      thread.run([&] { shard = &hub->add_shard(thread.loop()); });
      engine->start();
    }
    // As a server ends: its clients first.
    ~Server() {
      thread.run([&] { clients.clear(); });
      engine->stop();
      thread.end();
      hub = nullptr;
      engine_thread.run([&] {
        engine = nullptr;
        dialer = nullptr;
      });
    }

    LoopThread& engine_thread;
    LoopThread& thread;
    SystemClock clock;
    SystemRandom random;
    OpenPolicy policy;
    LineEncoding encoding;
    std::unique_ptr<TcpDialer> dialer;
    std::unique_ptr<RedisEngine> engine;
    std::unique_ptr<Hub> hub;
    Shard* shard = nullptr;
    std::vector<std::unique_ptr<FakeClient>> clients;
  };

  RedisHubPresence() {
    for (int i = 0; i < 2; ++i) {
      engine_threads_.push_back(std::make_unique<LoopThread>());
      hub_threads_.push_back(std::make_unique<LoopThread>());
      servers_.push_back(
          std::make_unique<Server>(soon_again({redis_.server()}), *engine_threads_.back(), *hub_threads_.back()));
    }
  }

  // A client of that server that hears `room`, watches it, and, with a name, is present in it.
  std::size_t come(std::size_t server, const std::string& name) {
    Server& at = *servers_[server];
    at.thread.run([&] {
      FakeClient& client = *at.clients.emplace_back(std::make_unique<FakeClient>(*at.shard, at.encoding));
      client.hear("room");
      EXPECT_TRUE(client.session.watch_presence("room"));
      if (!name.empty()) {
        EXPECT_TRUE(client.session.set_presence("room", name, ""));
      }
    });
    return at.clients.size() - 1;
  }
  void on(std::size_t server, std::size_t client, const std::function<void(FakeClient&)>& act) {
    Server& at = *servers_[server];
    at.thread.run([&] { act(*at.clients[client]); });
  }
  void vanish(std::size_t server, std::size_t client) {
    on(server, client, [](FakeClient& one) { one.session.end(EndReason::kClientLeft); });
  }
  // Whom the client was told of: "key:ref".
  std::set<std::string> told(std::size_t server, std::size_t client) {
    std::set<std::string> present;
    on(server, client, [&](FakeClient& one) {
      EXPECT_THAT(one.presence_faults, IsEmpty());
      present = one.present["room"];
    });
    return present;
  }
  std::vector<std::string> names(std::size_t server, std::size_t client) {
    std::vector<std::string> keys;
    for (const std::string& who : told(server, client)) keys.push_back(who.substr(0, who.find(':')));
    return keys;
  }
  bool is_told(std::size_t server, std::size_t client, const std::vector<std::string>& keys) {
    return wait_until([&] { return names(server, client) == keys; });
  }
  // What the hub of that server answers to who asks.
  std::set<std::string> shown(std::size_t server) {
    const auto answer =
        wait_for<PresenceStatePtr>([&](auto done) { servers_[server]->hub->presence("room", std::move(done)); });
    if (!answer) return {answer.error().text};
    std::set<std::string> all;
    for (const PresenceEntry& entry : (*answer)->entries) {
      for (const PresenceMeta& meta : entry.metas) all.insert(entry.key + ':' + meta.ref);
    }
    return all;
  }

  RedisProcess redis_;
  std::vector<std::unique_ptr<LoopThread>> engine_threads_, hub_threads_;
  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_F(RedisHubPresence, ClientsOfTwoServersSeeEachOther) {
  const std::size_t ann = come(0, "ann");
  ASSERT_TRUE(is_told(0, ann, {"ann"}));
  const std::size_t bob = come(1, "bob");
  const std::size_t watcher = come(1, "");
  ASSERT_TRUE(is_told(0, ann, {"ann", "bob"}));
  ASSERT_TRUE(is_told(1, bob, {"ann", "bob"}));
  ASSERT_TRUE(is_told(1, watcher, {"ann", "bob"}));
  EXPECT_EQ(told(0, ann), told(1, watcher)) << "refs are the same";
  on(1, bob, [](FakeClient& one) { EXPECT_TRUE(one.session.set_presence("room", "robert", "{}")); });
  ASSERT_TRUE(is_told(0, ann, {"ann", "robert"}));
  vanish(0, ann);
  ASSERT_TRUE(is_told(1, watcher, {"robert"}));
  EXPECT_EQ(shown(0), told(1, watcher));
}

TEST_F(RedisHubPresence, AServerThatStopsTakesItsClientsAlong) {
  come(0, "ann");
  const std::size_t bob = come(1, "bob");
  ASSERT_TRUE(is_told(1, bob, {"ann", "bob"}));
  servers_[0] = nullptr;
  ASSERT_TRUE(is_told(1, bob, {"bob"}));
}

TEST_F(RedisHubPresence, AfterARestartOfRedisAllIsAsItWas) {
  const std::size_t ann = come(0, "ann");
  const std::size_t bob = come(1, "bob");
  ASSERT_TRUE(is_told(0, ann, {"ann", "bob"}));
  ASSERT_TRUE(is_told(1, bob, {"ann", "bob"}));
  const auto before = told(0, ann);
  redis_.kill();
  const std::size_t cid = come(0, "cid");
  redis_.start();
  ASSERT_TRUE(is_told(1, bob, {"ann", "bob", "cid"}));
  ASSERT_TRUE(is_told(0, cid, {"ann", "bob", "cid"}));
  ASSERT_TRUE(is_told(0, ann, {"ann", "bob", "cid"}));
  EXPECT_TRUE(testing::Value(told(1, bob), testing::IsSupersetOf(before)));
}

TEST_F(RedisHubPresence, WhateverHappensInTheEndEverybodyIsToldWhoIsThere) {
  Dice dice(7);
  struct Place {
    std::size_t server;
    std::size_t client;
    bool gone = false;
  };
  std::vector<Place> places;
  for (int step = 0; step < 300; ++step) {
    const unsigned what = dice() % 10;
    if (what < 4 || places.empty()) {
      const std::size_t server = dice() % 2;
      places.push_back({.server = server, .client = come(server, dice() % 4 == 0 ? "" : "user" + std::to_string(dice() % 6))});
      continue;
    }
    Place& place = places[dice() % places.size()];
    if (place.gone) continue;
    if (what < 6) {
      vanish(place.server, place.client);
      place.gone = true;
    } else if (what < 9) {
      on(place.server, place.client, [&](FakeClient& one) {
        static_cast<void>(dice() % 2 == 0
                              ? one.session.set_presence("room", "user" + std::to_string(dice() % 6), "").has_value()
                              : one.session.clear_presence("room"));
      });
    } else {
      redis_.command({"CLIENT", "KILL", "TYPE", dice() % 2 == 0 ? "pubsub" : "normal"});
    }
  }
  std::set<std::string> last;
  ASSERT_TRUE(wait_until([&] {
    last = shown(0);
    return last == shown(1) && std::all_of(places.begin(), places.end(), [&](const Place& place) {
             return place.gone || told(place.server, place.client) == last;
           });
  })) << testing::PrintToString(last);
  EXPECT_EQ(*redis_.command({"HLEN", "t:p:{room}"}).number(), std::ssize(last));
}

}  // namespace
}  // namespace carillon
