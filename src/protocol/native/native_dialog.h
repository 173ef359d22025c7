// NativeDialog: one client's talk in the native protocol. Answers a command by one message; events come in between.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "hub/durable_subscriptions.h"
#include "hub/shard.h"
#include "protocol/dialog.h"
#include "protocol/native/native_codec.h"
#include "wire/guts/canonical_channel.h"

namespace carillon {

class NativeDialog;

// What all native dialogs of a loop share.
struct NativeShared {
  Shard& shard;
  DurableSubscriptions& durable;
  NativeReader reader;
  ChannelTextOptions text_options;
  std::size_t history_page_max = 1000;
  // Dialogs that asked for something that is answered later, for them to be found by.
  boost::unordered_flat_map<SessionId, NativeDialog*> waiting = {};
};

struct NativeStart {
  EventNames names = EventNames::kUnderscore;
  const Encoding* encoding = nullptr;  // Of events in those names.
  IdentityPtr identity;
  std::string_view user_agent;
};

class NativeDialog final : public Dialog, private SessionClient {
 public:
  NativeDialog(NativeShared& shared, Link& link, const NativeStart& start);

  // The first message, for clients that ask for version 2.
  void send_hello(std::string_view server, const LimitsOptions& limits);

  Session& session() { return session_; }

  Outbox& outbox() override { return session_.outbox(); }
  void on_message(std::string_view message, MessageKind kind) override;
  void on_room() override { session_.on_room(); }
  void on_link_closed() override;

 private:
  // A command that waits for the hub's answer.
  struct Pending {
    Ticket ticket;
    std::string id;
    std::string channel;   // As the client wrote it.
    std::string own_name;  // Canonical.
    bool recover = false;
    std::unique_ptr<NativePresence> presence;  // Of a subscribe: checked, and with its key.
    std::string group;
    GroupSettle::Verb settle = GroupSettle::Verb::kAck;
    std::string durable;      // The name of a subscription that is remembered,
    bool remembered = false;  // and was before.
  };
  // A command about durable subscriptions, until the store has answered. The channel is canonical in `own_name`.
  struct DurableAsked {
    std::string id;
    std::string channel;
    std::string own_name;
    NativeDurable durable;
    std::optional<Position> heard;  // Where the subscription goes on.
  };

  void subscribe(const NativeCommand& command);
  void unsubscribe(const NativeCommand& command);
  void publish(const NativeCommand& command);
  void history(const NativeCommand& command);
  void list_subscriptions();
  void join(const NativeCommand& command);
  void leave(const NativeCommand& command);
  void ask_presence(const NativeCommand& command);
  void join_group(const NativeCommand& command);
  void leave_group(const NativeCommand& command);
  void settle_group(const NativeCommand& command);

  // Durable subscriptions: native_durable.cc.
  void subscribe_durable(const NativeCommand& command);
  void resume(const NativeCommand& command);
  void ack_durable(const NativeCommand& command);
  void forget_durable(const NativeCommand& command);
  Result<DurableAsked> durable_asked(const NativeCommand& command);
  std::string subscriber(const NativeDurable& durable) const;
  void remember(DurableAsked asked);
  void subscribe_remembered(DurableAsked asked);
  // A completion that continues on this loop, if the dialog is still there. `go_on` is called with the dialog and the outcome.
  template <class T, class GoOn>
  UniqueFunction<void(Result<T>)> later(GoOn go_on);

  void on_outbox() override { link_.flush(); }
  void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) override;
  void on_published(Ticket ticket, const Result<Receipt>& outcome) override;
  void on_history(Ticket ticket, const Result<HistoryPage>& outcome) override;
  void on_gap(std::span<const Gap> gaps) override;
  void on_presence_state(const PresenceState& state) override;
  void on_presence(Ticket ticket, const Result<PresenceStatePtr>& outcome) override;
  void on_presence_counts(Ticket ticket, const Result<PresenceCounts>& outcome) override;
  void on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) override;
  void on_group_joined(Ticket ticket, const Result<GroupJoined>& outcome) override;
  void on_group_delivery(const GroupName& name, const GroupDelivery& delivery) override;
  void on_group_settled(Ticket ticket, const Result<GroupSettled>& outcome) override;
  void on_group_ended(const GroupName& name, std::string_view reason) override;
  void on_continuity(Continuity continuity) override;
  void on_announcement(const Bytes& text) override;
  void on_end_wanted(EndReason reason, std::string_view text) override;
  std::string peer_text() const override { return link_.peer().text; }

  // Checks how the client wants to be present and completes it with its key.
  Result<NativePresence> checked_presence(std::string_view channel, NativePresence wish);
  Ticket expect(std::string_view channel, std::string_view own_name = {});
  Pending take(Ticket ticket);
  void send(std::string_view message);
  void send_error(const Error& error, std::string_view id);

  NativeShared& shared_;
  Link& link_;
  Session session_;
  std::unique_ptr<std::deque<Pending>> pending_;  // In the order of their tickets; null while nothing is asked.
  std::uint32_t next_ticket_ = 1;
  EventNames names_;
};

}  // namespace carillon
