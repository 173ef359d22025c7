// PhoenixDialog: one client's talk in Phoenix Channels: its topics, and an answer to each message with a ref. On any link:
// a WebSocket, or what lives between the polls of a client that cannot have one.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/hash.h"
#include "hub/shard.h"
#include "protocol/deadline_list.h"
#include "protocol/dialog.h"
#include "protocol/phoenix/phoenix_encoding.h"
#include "protocol/phoenix/phoenix_join.h"
#include "protocol/phoenix/phoenix_state_frames.h"
#include "wire/guts/canonical_channel.h"

namespace carillon {

// What a topic is like, as the channel rules say.
struct PhoenixTopicRule {
  bool to_others = false;  // What a client pushes is not broadcast to itself.
  bool presence = false;   // Who joins is present.
};
using PhoenixTopicRules = std::function<PhoenixTopicRule(std::string_view channel)>;

// What all Phoenix dialogs of a loop share.
struct PhoenixShared {
  PhoenixShared(Shard& on_shard, PhoenixTopicRules rules, ChannelTextOptions texts, std::size_t topics)
      : shard(on_shard), rule_for(std::move(rules)), text_options(texts), topics_max(topics) {}

  // Whom the server would close for what it sent is kept until its connection has lived so long: phoenix.js connects again
  // 10 ms after the loss of a connection that had once been open, and never slows down. This many at a time; more are closed at
  // once.
  static constexpr Millis kLifeMin{5'000};
  static constexpr std::size_t kHeldMax = 1'000;

  Shard& shard;
  const PhoenixTopicRules rule_for;
  const ChannelTextOptions text_options;
  const std::size_t topics_max;
  PhoenixReader reader;
  PhoenixJoinReader join_reader;
  PhoenixStateFrames state_frames{shard.loop()};
  DeadlineList held{shard.loop()};
};

struct PhoenixStart {
  const PhoenixEncoding* encoding = nullptr;
  IdentityPtr identity;
  std::string_view user_agent;
  std::string presence_key;  // That the client asks for, unless a join asks for another.
};

class PhoenixDialog final : public Dialog, private SessionClient, private DeadlineList::Member {
 public:
  PhoenixDialog(PhoenixShared& shared, Link& link, const PhoenixStart& start);
  ~PhoenixDialog() override;

  Outbox& outbox() override { return session_.outbox(); }
  void on_message(std::string_view message, MessageKind kind) override;
  void on_room() override { session_.on_room(); }
  std::uint16_t on_drain() override { return kCloseServiceRestart; }
  void on_link_closed() override;

 private:
  struct Topic {
    std::string join_ref;  // A JSON text.
    Ticket join_ticket = 0;
    bool positions = false;  // The client asked for them, and so hears of gaps.
    bool presence = false;
    std::string presence_key;
    std::string presence_meta;  // Until the topic is joined.
  };
  using Topics = boost::unordered_flat_map<std::string, Topic, NameHash, NameEqual>;
  // A join or a push that waits for the hub's answer.
  struct Pending {
    Ticket ticket = 0;
    std::string join_ref;
    std::string ref;
    std::string topic;
    bool positions = false;
  };

  void join(const PhoenixMessage& message);
  Result<Topic> topic_of(const PhoenixMessage& message, SubscribeOptions& options);
  void leave(Topics::iterator topic, const PhoenixMessage& message);
  void on_topic(Topics::iterator topic, const PhoenixMessage& message);
  void publish(const Topic& topic, const PhoenixMessage& message);
  void update_presence(const Topic& topic, const PhoenixMessage& message);
  void become_present(const std::string& name, Topic& topic);
  void fault(const Error& error, MessageKind kind);

  void on_outbox() override { link_.flush(); }
  void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) override;
  void on_published(Ticket ticket, const Result<Receipt>& outcome) override;
  void on_history(Ticket, const Result<HistoryPage>&) override {}
  void on_gap(std::span<const Gap> gaps) override;
  void on_presence_state(const PresenceState& state) override;
  void on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) override;
  void on_continuity(Continuity continuity) override;
  void on_announcement(const Bytes& text) override;
  void on_end_wanted(EndReason reason, std::string_view text) override;
  void on_deadline() override { link_.close(fault_code_, fault_text_); }
  std::string peer_text() const override { return link_.peer().text; }

  PhoenixVersion version() const { return encoding_.form().version; }
  Ticket expect(const PhoenixAddress& address, const Topic& topic);
  Pending take(Ticket ticket);
  void send(std::string_view message);
  void reply(const PhoenixAddress& address, PhoenixStatus status, std::string_view response = "{}");
  void refuse(const PhoenixAddress& address, std::string_view reason, std::string_view detail = {});

  PhoenixShared& shared_;
  Link& link_;
  const PhoenixEncoding& encoding_;
  const Encoding& framed_;
  Session session_;
  Topics topics_;
  std::unique_ptr<std::deque<Pending>> pending_;  // In the order of their tickets; null while nothing is asked.
  Ticket next_ticket_ = 1;
  const std::string presence_key_;
  const Millis life_min_ends_;
  std::uint16_t fault_code_ = 0;  // Not 0: the client broke the protocol; nothing it says is heard.
  std::string fault_text_;
};

}  // namespace carillon
