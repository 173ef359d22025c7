// BayeuxSession: one Bayeux client between its requests: its place in the hub, the connect it has waiting, and the open line to
// it, if there is one.
//
// 1. What is for the client waits in its outbox, as whole messages that all clients of the loop share. 2. It leaves by the
// first of these that comes: the open line (a WebSocket, an event stream); the answer to a request that is being made; the
// connect that waits. Where the client has asked for acknowledged delivery, or the options want it so, by answers to connects
// only. 3. Without a connect for the interval and the max interval the session ends. On the loop of its BayeuxSessions.
#pragma once

#include <boost/container/small_vector.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hub/shard.h"
#include "protocol/bayeux/bayeux_ack.h"
#include "protocol/bayeux/bayeux_batch.h"
#include "protocol/bayeux/bayeux_codec.h"
#include "protocol/bayeux/bayeux_common.h"
#include "protocol/bayeux/bayeux_http.h"
#include "protocol/bayeux/bayeux_line.h"
#include "protocol/bayeux/bayeux_replay.h"
#include "protocol/bayeux/bayeux_reply.h"
#include "protocol/bayeux/bayeux_timesync.h"
#include "protocol/deadline_list.h"

namespace carillon {

// What goes into one answer; mostly one.
using BayeuxFrames = boost::container::small_vector<FramePtr, 2>;

class BayeuxSession final : public Disposable, private SessionClient, private DeadlineList::Member {
 public:
  struct Start {
    BayeuxClientPtr client;
    IdentityPtr identity;
    std::string browser;        // Its cookie; empty: there are none.
    bool shows_cookie = false;  // The handshake brought it.
    bool acknowledged = false;
    bool replays = false;  // It asked for positions, by which it recovers (bayeux_replay.h).
  };
  BayeuxSession(BayeuxSessions& owner, Start start);
  ~BayeuxSession() override;

  const std::string& client_id() const { return client_->client_id; }
  const BayeuxClientPtr& client() const { return client_; }
  bool connected() const { return connected_; }
  bool acknowledges() const { return ack_ != nullptr; }
  bool replays() const { return replays_; }
  std::uint64_t batch() const { return ack_->batch(); }

  // Whether a request with this cookie may speak for the session; empty: none was shown.
  bool may_speak(std::string_view cookie);

  // The messages of one request, which are no handshakes.
  void take(std::span<const BayeuxMessage> messages, BayeuxAnswerer answerer);
  void take(std::span<const BayeuxMessage> messages, BayeuxLine& line);

  // From now on the line is the way to the client. One that there was before is closed.
  void attach(BayeuxLine& line);
  void on_line_room();
  void on_line_gone(BayeuxLine& line);

  // A message for this client alone, as bayeux_delivery() writes it.
  void send(std::string_view delivery, bool lazy);
  std::string default_advice() const;
  // What waits now, for the answer to the handshake.
  std::string take_for_handshake(std::size_t& messages);

  // The session ends, and the client is told, as far as it has something waiting: to stay away by a /meta/disconnect, to shake
  // hands again by a connect that fails.
  void remove(bayeux_event::RemovalReason reason);

 private:
  // A connect that is not answered yet.
  struct HeldConnect {
    BayeuxAnswerer answerer;     // By HTTP;
    BayeuxLine* line = nullptr;  // or through this.
    std::string id_json;
    std::optional<BayeuxTimesync> timesync;
    bool wants_advice = false;
    bool counted = false;  // Among its browser's polls.
    Millis until{0};
    Millis heard_at{0};  // When its client said something last.
  };
  // A subscribe, or a publish, that waits for the hub.
  struct Pending {
    BayeuxBatchPtr batch;
    std::size_t place = 0;
    std::string id_json;
    std::string channel;
    std::string subscription_json;   // Of a subscribe.
    std::vector<std::string> added;  // The channels that it subscribes to anew.
    std::size_t answers_due = 0;
    std::string error;
    std::vector<BayeuxReplayed> replayed;  // Of a session that replays: by `added`, whose tickets follow on one another.
    bool holds = false;                    // What is recovered comes behind its reply: deliveries wait for that.
  };
  // What an answer that is under way carries. Shared with who tells whether it has left, after the session's end even: maybe
  // on another thread by then, where it is dropped.
  struct Departure {
    BayeuxSession* session;  // Null: it is over.
    BayeuxFrames frames;
  };
  // What is told to no more than a few clients.
  struct Rare {
    std::vector<std::string> lazy;  // Messages for this client alone that may wait.
    BayeuxFrames unsent;            // Of an answer that could not leave.
    std::uint64_t lost = 0;         // Publications that the client read too slowly for, and has not been told of.
    std::vector<Gap> lost_by;       // By channel, where the session replays.
  };

  BayeuxBatchPtr batch_for(BayeuxLine& line);
  void take_one(const BayeuxMessage& message, std::string fault, const BayeuxBatchPtr& batch);
  std::string fault_of(const BayeuxMessage& message) const;

  void connect(const BayeuxMessage& message, HeldConnect asked);
  void begin_polling(const BayeuxMessage& message, BayeuxTransport transport);
  void wait_with_connect(Millis time, std::string_view advice);
  void give_up_line(std::string_view reason);
  Millis time_to_hold(const BayeuxMessage& message, HeldConnect& connect, std::string& advice);
  void supersede();
  void answer_connect(std::string_view advice = {});
  // With an error the connect has failed.
  void answer_held(std::string_view advice, std::string_view error);
  void append_connect_reply(std::string& out, const HeldConnect& asked, std::string_view advice, std::string_view error = {});
  void hold(HeldConnect asked);
  std::optional<HeldConnect> take_held();
  HeldConnect read_connect(const BayeuxMessage& message);

  void subscribe(const BayeuxMessage& message, const BayeuxBatchPtr& batch);
  BayeuxPermission may_subscribe(const std::string& channel, Selector& selector);
  void unsubscribe(const BayeuxMessage& message, const BayeuxBatchPtr& batch);
  std::string refusal_to_unsubscribe(const std::string& channel) const;
  void drop(const std::string& channel);
  void hold_pending(Ticket ticket, Pending pending);
  void finish_subscribe(Ticket ticket);
  void publish(const BayeuxMessage& message, const BayeuxBatchPtr& batch);
  void publish_to_service(const BayeuxMessage& message, const BayeuxBatchPtr& batch);
  Result<Draft> draft_of(const BayeuxMessage& message);
  void disconnect(const BayeuxMessage& message, const BayeuxBatchPtr& batch);
  BayeuxPermission may(BayeuxOperation operation, std::string_view channel);
  void refuse(const BayeuxMessage& message, const BayeuxBatchPtr& batch, BayeuxPermission permission);
  void reply(const BayeuxReply& reply, const BayeuxBatchPtr& batch, std::size_t place);

  void deliver();
  bool has_deliveries();
  bool only_lazy();
  bool is_lazy(const Frame& frame) const;
  bool pushes() const;
  void push();
  void take_deliveries(std::string& text, BayeuxFrames& frames);
  void take_lazy();
  void ask_for_more();
  bool ends_by_gap() const { return ack_ != nullptr && !recovers_wildcards_; }
  bool under_way() const { return departure_ != nullptr && !departure_->frames.empty(); }
  ReplySent departing(BayeuxFrames frames);
  void on_answer_sent(bool sent);
  void answer(BayeuxAnswerer answerer, std::vector<std::string> replies, std::size_t first);

  void touch(Millis interval);
  void wait_until(Millis deadline);
  void wait_with_held();
  bool has_processed_too_long(Millis now) const;
  void on_deadline() override;
  void end(bayeux_event::RemovalReason reason, std::string_view advice);

  void on_outbox() override { deliver(); }
  void fetch_ahead() const override;
  void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) override;
  void on_published(Ticket ticket, const Result<Receipt>& outcome) override;
  void on_history(Ticket, const Result<HistoryPage>&) override {}
  void on_gap(std::span<const Gap> gaps) override;
  void on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) override;
  void on_announcement(const Bytes& text) override;
  void on_end_wanted(EndReason reason, std::string_view text) override;
  std::string peer_text() const override { return client_->peer; }

  Rare& rare();
  const BayeuxOptions& options() const;
  Loop& loop() const;

  BayeuxSessions& owner_;
  const BayeuxClientPtr client_;
  BayeuxBrowser* const browser_;  // Null: cookies are not looked at.
  bool shows_cookie_;
  bool connected_ = false;  // A connect has come.
  bool forwarded_ = false;  // A request came by another node (protocol/node_forward.h).
  bool advised_ = false;    // By the transport in use.
  bool gone_ = false;
  bool lazy_due_ = false;
  const bool replays_;
  bool recovers_wildcards_ = false;  // It has asked for what it missed of several channels at once, which is bounded.
  BayeuxTransport transport_ = BayeuxTransport::kLongPolling;
  BayeuxLine* line_ = nullptr;
  std::optional<HeldConnect> held_;
  std::unique_ptr<BayeuxAck> ack_;
  std::shared_ptr<Departure> departure_;  // Null until an answer has carried something.
  std::unique_ptr<Rare> rare_;
  Millis expires_at_{0};
  Millis lazy_at_{0};  // 0: nothing lazy waits.
  Millis active_at_{0};
  Millis deadline_{0};
  std::vector<std::string> channels_;  // Subscribed to, as on the wire.
  std::unique_ptr<std::map<Ticket, Pending>> pending_;
  std::size_t holding_ = 0;  // Of these; nothing is delivered meanwhile.
  Ticket next_ticket_ = 1;
  Session session_;
};

}  // namespace carillon
