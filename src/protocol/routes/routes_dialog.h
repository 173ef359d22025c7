// RoutesDialog: one connection's talk in the routes protocol.
//
// What the server itself is asked (/channels/…) is done here, and answered to this connection. What the program's handlers are
// asked goes to threads of their own as a RoutesJob; what they say comes back by the desk, by serial and ticket, and leaves as
// publications: on the user's personal stream, or on the channel of an object.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/dialog.h"
#include "protocol/routes/routes_desk.h"

namespace carillon {

struct RoutesStart {
  IdentityPtr identity;
  RouteUser user;
  std::string_view user_agent;
  bool positions = false;  // Envelopes of what is kept show where it stands in its channel.
};

class RoutesDialog final : public Dialog, private SessionClient {
 public:
  // Closing code of a connection whose token holds no more.
  static constexpr std::uint16_t kCloseUnauthorized = 4001;
  // Questions of one connection that wait for the hub; beyond it a request is refused.
  static constexpr std::size_t kAskedMax = 1024;

  RoutesDialog(RoutesDesk& desk, Link& link, RoutesStart start);
  ~RoutesDialog() override;

  std::uint64_t serial() const { return serial_; }
  const RouteUser& user() const { return connection_->user; }
  // When the link is open: begins to hear the personal stream.
  void start();

  Outbox& outbox() override { return session_.outbox(); }
  void on_message(std::string_view message, MessageKind kind) override;
  void on_room() override { session_.on_room(); }
  void on_link_closed() override;

  // For the desk.
  using Followed = UniqueFunction<void(Result<bool>)>;
  void send(const RoutesJob& job, RoutesOutgoing outgoing);
  void follow(RouteFollow follow, std::string route, Followed done);
  bool unfollow(std::string_view channel);
  bool revoke(std::string_view channel, std::string_view text);
  void finish(std::uint64_t ticket) { calls_.erase(ticket); }

 private:
  // A channel that the connection follows, or is about to.
  struct Follow {
    bool joined = false;   // The hub has answered.
    bool granted = false;  // By a handler: the connection is a member, with a card.
    std::string route;     // Of the news.
    std::optional<RouteNews> on_joined;
    std::optional<RouteNews> on_left;
    std::string card;
    std::vector<Followed> waiting;
  };
  using Follows = boost::unordered_flat_map<std::string, Follow, NameHash, NameEqual>;
  // A question to the hub.
  struct Asked {
    std::string route;
    std::string event;
    std::string id;
    std::string channel;
    bool presence = false;
    bool recover = false;
  };
  // A request that is answered to this connection alone.
  struct Question {
    std::string_view route;
    std::string_view event;
    std::string_view id;
  };

  bool within_rate();
  void call(const RouteEntry& entry, const RoutesRequest& request);
  void leave_objects(const RouteEntry& entry, const RoutesRequest& request);

  // The server's own routes: routes_channels.cc. False: it is none.
  bool ask_channels(const RoutesRequest& request);
  void subscribe(const Question& question, std::string_view payload);
  void unsubscribe(const Question& question, std::string_view payload);
  void list(const Question& question, std::string_view payload);
  void publish(const Question& question, std::string_view payload);
  void members(const Question& question, std::string_view payload);
  void history(const Question& question, std::string_view payload);
  Ticket expect(const Question& question, std::string channel);
  std::optional<Asked> take(Ticket ticket);

  void on_joined(const std::string& channel);
  void on_looked(const std::string& channel, bool is_news);
  void give_up(const std::string& channel, const Error& error);
  void leave(Follows::iterator followed);
  RoutesDesk::Departure departure_of(const std::string& channel, Follow& follow);
  Draft news(const std::string& channel, const Follow& follow, const RouteNews& news, SendMethod method) const;
  std::string presence_key_text() const;
  // What the store calls this session.
  std::string presence_member() const;

  void on_outbox() override { link_.flush(); }
  void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) override;
  void on_published(Ticket ticket, const Result<Receipt>& outcome) override;
  void on_history(Ticket ticket, const Result<HistoryPage>& outcome) override;
  void on_gap(std::span<const Gap> gaps) override;
  void on_presence_state(const PresenceState& state) override;
  void on_presence(Ticket ticket, const Result<PresenceStatePtr>& outcome) override;
  void on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) override;
  void on_announcement(const Bytes& text) override;
  void on_end_wanted(EndReason reason, std::string_view text) override;
  std::string peer_text() const override { return link_.peer().text; }

  void answer(const Question& question, std::string_view payload);
  void refuse(const Question& question, const Error& error);
  void refuse(const Question& question, const RouteError& error);
  void send_envelope(const RoutesEnvelope& envelope);
  void tell_left(std::string_view channel, std::string_view reason);

  RoutesDesk& desk_;
  Link& link_;
  Session session_;
  const std::uint64_t serial_;
  const IdentityPtr identity_;  // Without claims, as what is published holds it.
  const RouteConnectionPtr connection_;
  const std::string sent_by_;  // JSON; empty: anonymous.
  bool started_ = false;
  std::string personal_;  // The channel of the personal stream, once it is heard; empty: there is none.
  Ticket personal_ticket_ = 0;
  Ticket last_ticket_ = 0;
  double tokens_ = 0;  // Requests that may come now.
  Millis refilled_at_{0};
  Follows follows_;
  boost::unordered_flat_map<Ticket, Asked> asked_;
  boost::unordered_flat_map<Ticket, std::string> joining_;  // Channels that handlers follow.
  boost::unordered_flat_map<std::uint64_t, std::shared_ptr<std::atomic<bool>>> calls_;
};

}  // namespace carillon
