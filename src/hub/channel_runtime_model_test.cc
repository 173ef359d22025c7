// The runtime beside a naive one of plain lists: random events, the same texts and the same answers. And the same whatever the
// seed of the name hash is.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "base/hash.h"
#include "carillon/channel_runtime.h"

namespace carillon {
namespace {

using namespace channel_event;
using Texts = std::vector<std::string>;

// The table of docs/internals/channel-runtime.md, word for word, in lists that are searched from end to end.
class NaiveRuntime {
 public:
  void on(const Join& e) {
    if (refuse_crashed(e.client_id, e.topic)) return;
    if (find(e.client_id, e.topic)) return reply(e.client_id, e.topic, "error", "already_joined");
    enter(e.client_id, e.topic, e.user_id, e.now_ms, e.meta, "");
  }
  void on(const Rejoin& e) {
    if (refuse_crashed(e.client_id, e.topic)) return;
    Member* const member = find(e.client_id, e.topic);
    if (!member) return enter(e.client_id, e.topic, e.user_id, e.now_ms, e.meta, "rejoined");
    Meta before = find_meta(e.topic, member->meta.ref);
    const Meta after{next_ref(), before.ref, e.now_ms, e.meta, e.client_id};
    reply(e.client_id, e.topic, "ok", "rejoined");
    outbox.push_back("presence_diff \"" + e.topic + "\" +" + entry(e.user_id, after) + " -" + entry(member->user, before));
    if (member->user == e.user_id) {
      for (auto& [key, metas] : presence_[e.topic]) std::replace(metas.begin(), metas.end(), before, after);
    } else {
      track(e.topic, e.user_id, after);
      untrack(e.topic, before);
    }
    member->user = e.user_id;
    member->meta = after;
  }
  void on(const Leave& e) {
    Member* const member = member_or_refusal(e.client_id, e.topic);
    if (!member) return;
    reply(e.client_id, e.topic, "ok", "");
    outbox.push_back("presence_diff \"" + e.topic + "\" -" + entry(member->user, member->meta));
    untrack(e.topic, member->meta);
    members_.erase(members_.begin() + (member - members_.data()));
  }
  void on(const Broadcast& e) {
    if (!member_or_refusal(e.client_id, e.topic)) return;
    std::string to;
    for (const Member& member : members_) {
      if (member.topic != e.topic || (!e.to_sender && member.client == e.client_id)) continue;
      to += (to.empty() ? "\"" : " \"") + member.client + '"';
    }
    outbox.push_back("broadcast_message \"" + e.topic + "\" \"" + e.payload + "\" [" + to + "]");
    reply(e.client_id, e.topic, "ok", "");
  }
  void on(const Push& e) {
    if (!member_or_refusal(e.client_id, e.topic)) return;
    outbox.push_back("push_message \"" + e.client_id + "\" \"" + e.topic + "\" \"" + e.event + "\" \"" + e.payload + '"');
    reply(e.client_id, e.topic, "ok", "");
  }
  void on(const Crash& e) {
    if (crashed(e.topic)) return;
    if (e.topic.empty()) {
      all_crashed_ = true;
      crashed_.clear();
      members_.clear();
      presence_.clear();
      outbox.push_back("system \"crash:" + e.reason + "\" \"\"");
    } else {
      crashed_.insert(e.topic);
      std::erase_if(members_, [&](const Member& member) { return member.topic == e.topic; });
      presence_.erase(e.topic);
      outbox.push_back("system \"crash:" + e.topic + ":" + e.reason + "\" \"" + e.topic + '"');
    }
  }
  void on(const Restart& e) {
    if (e.topic.empty() && (all_crashed_ || !crashed_.empty())) {
      all_crashed_ = false;
      crashed_.clear();
      outbox.push_back("system \"restart\" \"\"");
    } else if (crashed_.erase(e.topic) > 0) {
      outbox.push_back("system \"restart:" + e.topic + "\" \"" + e.topic + '"');
    }
  }

  bool crashed(const std::string& topic) const { return all_crashed_ || crashed_.count(topic) > 0; }
  Texts subscribers(const std::string& topic) const {
    Texts clients;
    for (const Member& member : members_) {
      if (member.topic == topic) clients.push_back(member.client);
    }
    return clients;
  }
  std::vector<PresenceEntry> presences(const std::string& topic) const {
    std::vector<PresenceEntry> entries;
    const auto found = presence_.find(topic);
    if (found == presence_.end()) return entries;
    for (const auto& [key, metas] : found->second) entries.push_back({key, metas});
    return entries;
  }
  Texts topics() const {
    std::set<std::string> names;
    for (const Member& member : members_) names.insert(member.topic);
    return {names.begin(), names.end()};
  }
  std::size_t membership_count() const { return members_.size(); }

  Texts outbox;

 private:
  using Meta = PresenceMeta;
  struct Member {
    std::string client, topic, user;
    Meta meta;
  };
  using Keys = std::vector<std::pair<std::string, std::vector<Meta>>>;

  std::string next_ref() {
    std::string text;
    for (int number = ++refs_; number > 0; number /= 36) {
      const int digit = number % 36;
      text.insert(text.begin(), static_cast<char>(digit < 10 ? '0' + digit : 'a' + digit - 10));
    }
    return text;
  }
  Member* find(const std::string& client, const std::string& topic) {
    for (Member& member : members_) {
      if (member.client == client && member.topic == topic) return &member;
    }
    return nullptr;
  }
  Meta find_meta(const std::string& topic, const std::string& ref) {
    for (auto& [key, metas] : presence_[topic]) {
      for (const Meta& meta : metas) {
        if (meta.ref == ref) return meta;
      }
    }
    ADD_FAILURE() << "the model lost " << ref;
    return {};
  }
  Member* member_or_refusal(const std::string& client, const std::string& topic) {
    if (refuse_crashed(client, topic)) return nullptr;
    Member* const member = find(client, topic);
    if (!member) reply(client, topic, "error", "not_joined");
    return member;
  }
  bool refuse_crashed(const std::string& client, const std::string& topic) {
    if (crashed(topic)) reply(client, topic, "error", "crashed");
    return crashed(topic);
  }
  void enter(const std::string& client, const std::string& topic, const std::string& user, std::int64_t now_ms,
             const std::string& meta, const std::string& payload) {
    const Meta joined{next_ref(), "", now_ms, meta, client};
    members_.push_back({client, topic, user, joined});
    track(topic, user, joined);
    reply(client, topic, "ok", payload);
    outbox.push_back("presence_diff \"" + topic + "\" +" + entry(user, joined));
  }
  void track(const std::string& topic, const std::string& user, const Meta& meta) {
    for (auto& [key, metas] : presence_[topic]) {
      if (key == user) return metas.push_back(meta);
    }
    presence_[topic].push_back({user, {meta}});
  }
  void untrack(const std::string& topic, const Meta& meta) {
    for (auto& [key, metas] : presence_[topic]) std::erase(metas, meta);
    std::erase_if(presence_[topic], [](const auto& key) { return key.second.empty(); });
  }
  void reply(const std::string& client, const std::string& topic, const std::string& status, const std::string& payload) {
    outbox.push_back("reply \"" + client + "\" \"" + topic + "\" \"" + status + "\" \"" + payload + '"');
  }
  static std::string entry(const std::string& key, const Meta& meta) {
    return '"' + key + "\"[(\"" + meta.ref + "\" \"" + meta.previous_ref + "\" " + std::to_string(meta.online_at_ms) + " \"" +
           meta.meta + "\" \"" + meta.client_id + "\")]";
  }

  std::vector<Member> members_;
  std::map<std::string, Keys> presence_;
  std::set<std::string> crashed_;
  bool all_crashed_ = false;
  int refs_ = 0;
};

class Dice {
 public:
  explicit Dice(unsigned seed) : bits_(seed) {}
  unsigned operator()() { return static_cast<unsigned>(bits_()); }

 private:
  std::mt19937 bits_;
};

// Few names, so that they meet; how many decides whether topics stay small or grow and shrink.
std::vector<ChannelEvent> random_events(unsigned seed, std::size_t count) {
  Dice dice(seed);
  const unsigned clients = 1 + dice() % 120, users = 1 + dice() % 20, topics = 1 + dice() % 4;
  const unsigned leaving = 1 + dice() % 5;
  std::vector<ChannelEvent> events;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string client = "c" + std::to_string(dice() % clients), topic = "t" + std::to_string(dice() % topics);
    const std::string user = "u" + std::to_string(dice() % users), text = "p" + std::to_string(i);
    const auto now_ms = static_cast<std::int64_t>(i);
    const unsigned what = dice() % 100;
    if (what < 35) {
      events.push_back(Join{client, topic, user, now_ms, i % 3 == 0 ? text : ""});
    } else if (what < 50) {
      events.push_back(Rejoin{client, topic, user, now_ms, text});
    } else if (what < 50 + 5 * leaving) {
      events.push_back(Leave{client, topic});
    } else if (what < 90) {
      events.push_back(Broadcast{.client_id = client, .topic = topic, .payload = text, .to_sender = dice() % 2 == 0});
    } else if (what < 97) {
      events.push_back(Push{client, topic, "e", text});
    } else if (dice() % 4 == 0) {
      events.push_back(Crash{text, dice() % 5 == 0 ? "" : topic});
    } else {
      events.push_back(Restart{dice() % 5 == 0 ? "" : topic});
    }
  }
  return events;
}

Texts texts_of(const std::vector<ChannelOutbound>& outbox) {
  Texts texts;
  for (const ChannelOutbound& outbound : outbox) texts.push_back(channel_outbound_text(outbound));
  return texts;
}

void expect_same_answers(const ChannelRuntime& runtime, const NaiveRuntime& model) {
  ASSERT_EQ(runtime.topics(), model.topics());
  ASSERT_EQ(runtime.topic_count(), model.topics().size());
  ASSERT_EQ(runtime.membership_count(), model.membership_count());
  for (const char* topic : {"t0", "t1", "t2", "t3"}) {
    ASSERT_EQ(runtime.crashed(topic), model.crashed(topic));
    ASSERT_EQ(runtime.subscribers(topic), model.subscribers(topic));
    std::size_t members = 0;
    for (int client = 0; client < 120; ++client) members += runtime.is_member("c" + std::to_string(client), topic) ? 1 : 0;
    ASSERT_EQ(members, model.subscribers(topic).size());
    ASSERT_EQ(runtime.subscriber_count(topic), model.subscribers(topic).size());
    const auto presences = model.presences(topic);
    ASSERT_EQ(runtime.presences(topic), presences);
    ASSERT_EQ(runtime.key_count(topic), presences.size());
    ASSERT_EQ(runtime.ref_count(topic), model.subscribers(topic).size());
  }
}

TEST(ChannelRuntimeModel, SaysAndKnowsWhatAListOfListsDoes) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ChannelRuntime runtime = ChannelRuntime::single_node();
    NaiveRuntime model;
    Dice dice(seed);
    // Recipients are read when the outbox is flushed: a long one holds many lists of the same topic.
    const unsigned flush_every = 1 + dice() % 300;
    for (const ChannelEvent& event : random_events(seed, 1500)) {
      runtime.handle(event);
      std::visit([&model](const auto& one) { model.on(one); }, event);
      if (dice() % flush_every != 0) continue;
      ASSERT_EQ(texts_of(runtime.flush()), std::exchange(model.outbox, {}));
      ASSERT_NO_FATAL_FAILURE(expect_same_answers(runtime, model));
    }
    ASSERT_EQ(texts_of(runtime.flush()), model.outbox);
    ASSERT_NO_FATAL_FAILURE(expect_same_answers(runtime, model));
  }
}

TEST(ChannelRuntimeModel, NoHashSeedCanBeSeen) {
  const auto run = [](std::uint64_t hash_seed) {
    set_name_hash_seed(hash_seed);
    ChannelRuntime runtime = ChannelRuntime::cluster_ready("n1", "east");
    Texts texts;
    for (const ChannelEvent& event : random_events(4711, 3000)) {
      runtime.handle(event);
      for (const std::string& topic : runtime.topics()) {
        texts.push_back(topic + ' ' + std::to_string(runtime.subscriber_count(topic)));
      }
    }
    for (std::string& text : texts_of(runtime.flush())) texts.push_back(std::move(text));
    for (const std::string& topic : runtime.topics()) {
      for (std::string& client : runtime.subscribers(topic)) texts.push_back(std::move(client));
      for (const PresenceEntry& entry : runtime.presences(topic)) texts.push_back(entry.key + entry.metas.front().ref);
    }
    return texts;
  };
  const Texts first = run(1);
  EXPECT_GT(first.size(), 3000u);
  for (const std::uint64_t hash_seed : {1, 2, 3}) EXPECT_EQ(run(hash_seed), first);
}

}  // namespace
}  // namespace carillon
