// Session: one client as the hub sees it: its outbox, its subscriptions, its place on a loop.
//
// Made and used on one loop, by the dialog that owns it as a member; ends when that dialog ends it or is destroyed. The hub
// calls back through SessionClient, and answers questions by ticket, so that nothing is called for a session that is gone.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hub/encoding.h"
#include "hub/engine.h"
#include "hub/group_call.h"
#include "hub/outbox.h"
#include "hub/selector.h"

namespace carillon {

class Shard;
class Session;
struct Audience;
struct Member;

// What an answer is matched by; the asker chooses the number.
using Ticket = std::uint64_t;

// Publications that a slow client lost. Told by channel for the first kGapChannelsMax channels; those of any further channels
// are counted together under the empty name. Also what an engine of several nodes lost for everybody.
inline constexpr std::size_t kGapChannelsMax = 64;
struct Gap {
  std::string channel;
  std::uint64_t messages = 0;  // 0: not known how many.
};

enum class EndReason : std::uint8_t {
  kClientLeft,    // The client closed, or its connection was lost.
  kSlowConsumer,  // Its outbox passed the limit and the policy is to close.
  kDisconnected,  // An operator or an application asked for it.
  kShutdown,      // The server is stopping.
  kExpired,       // What showed who the client is holds no more.
};

struct ChannelPosition {
  std::string channel;
  Position position;
  friend bool operator==(const ChannelPosition&, const ChannelPosition&) = default;
};

struct SubscribeOptions {
  Selector selector;
  // Absent: only what comes from now on. Present: first what was published after these positions, in order. A channel that
  // the selector matches and that is not named is new to the client: all of it was missed. A channel that the session hears
  // by another subscription already is not repeated; `recovered` is then true only if that one recovered too, or nothing was
  // missed in it.
  std::optional<std::vector<ChannelPosition>> recover;
  // Whoever asks has decided that the client may, also be present: the policy is not asked.
  bool granted = false;
  Ticket ticket = 0;
};

struct Subscribed {
  bool already = false;  // It was subscribed before; nothing changed.
  // With recover: everything missed follows, in order, without gap unless on_gap tells of one: of several channels at once it
  // was more than the client's outbox may hold and the link could take, or retention overtook a client that reads slowly.
  // False: something is gone; what is kept follows.
  bool recovered = false;
  // Where the matching channels that keep history stand now; publications after these follow.
  std::vector<ChannelPosition> positions;
};

// Implemented by dialogs. Called on the session's loop. May end the session, never destroy it inside the call.
class SessionClient {
 public:
  // Frames wait in the outbox: called at the end of a turn that queued some, when the outbox is full, and by on_room().
  virtual void on_outbox() = 0;
  // Its turn comes next: what on_outbox touches first may be fetched from memory meanwhile (__builtin_prefetch). Nothing else.
  virtual void fetch_ahead() const {}
  virtual void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) = 0;
  virtual void on_published(Ticket ticket, const Result<Receipt>& outcome) = 0;
  virtual void on_history(Ticket ticket, const Result<HistoryPage>& outcome) = 0;
  // Publications were dropped because this client reads too slowly, or the engine lost them. Called when its outbox is no more
  // than half full, so that telling does not itself fill it; what was dropped until then is told in one.
  virtual void on_gap(std::span<const Gap> gaps) = 0;
  // Who is present in a channel that the session began to watch, or of which it lost a diff (what follows the lost one may have
  // been heard meanwhile). Diffs follow by the session's encoding.
  virtual void on_presence_state(const PresenceState&) {}
  virtual void on_presence(Ticket, const Result<PresenceStatePtr>&) {}
  virtual void on_presence_counts(Ticket, const Result<PresenceCounts>&) {}
  // The hub ended the subscription to exactly this channel; `crash`: something went wrong, it may be tried again.
  virtual void on_unsubscribed(std::string_view /*channel*/, std::string_view /*reason*/, bool /*crash*/) {}
  // Of queue groups. A delivery comes when the outbox has room for it; it must be written as an answer is.
  virtual void on_group_joined(Ticket, const Result<GroupJoined>&) {}
  virtual void on_group_delivery(const GroupName&, const GroupDelivery&) {}
  virtual void on_group_settled(Ticket, const Result<GroupSettled>&) {}
  // The group was deleted; the session is its member no more.
  virtual void on_group_ended(const GroupName&, std::string_view /*reason*/) {}
  // Whether this server hears what is published on others (engine.h); told as it changes.
  virtual void on_continuity(Continuity) {}
  // A text for every client, whatever it is subscribed to.
  virtual void on_announcement(const Bytes& text) = 0;
  // The hub wants this session gone: say so to the client and close. After a slow consumer's call nothing more is queued.
  virtual void on_end_wanted(EndReason reason, std::string_view text) = 0;
  // Where the client is, for operators.
  virtual std::string peer_text() const = 0;

 protected:
  ~SessionClient() = default;
};

struct SessionStart {
  const char* protocol = "";           // A literal: "native", "sse".
  const Encoding* encoding = nullptr;  // Outlives the session.
  IdentityPtr identity;                // Null: anonymous.
  std::string_view user_agent;
};

class Session {
 public:
  Session(Shard& shard, SessionClient& client, const SessionStart& start);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  SessionId id() const { return id_; }
  Shard& shard() const { return shard_; }
  const Identity& identity() const;
  std::int64_t connected_at_ms() const { return connected_at_ms_; }
  Outbox& outbox() { return outbox_; }
  bool ended() const { return ended_; }
  // Publications were dropped, and on_gap has not told of it yet.
  bool has_gap() const { return gaps_ != nullptr; }
  // Something is told or brought only as there is room for it: whoever takes frames out of the outbox by itself, and not inside
  // on_outbox, calls on_room() afterwards.
  bool wants_room() const { return gaps_ != nullptr || streaming_; }

  // Answered by on_subscribed, maybe inside the call. Errors: kLimit (subscriptions_max), kUnavailable, and kConflict when an
  // unsubscribe or a subscribe with `recover` for the same selector came before the answer.
  void subscribe(SubscribeOptions options);
  // False: it was not subscribed. What was published before is still heard, what comes after is not.
  bool unsubscribe(const Selector& selector);
  // What this loop was pushed before now is in the outbox when it returns, where else it would be at the end of the turn. May
  // ask for the session's end.
  void catch_up();
  std::vector<Selector> subscriptions() const;
  std::size_t subscription_count() const { return subscriptions_.size(); }

  // Answered by on_published, at the end of the turn at the earliest and after this session's own copy. The draft's
  // publisher and identity are filled in here.
  void publish(Draft draft, Ticket ticket);
  // Answered by on_history, maybe inside the call.
  void history(HistoryQuery query, Ticket ticket);

  // Presence in a channel that this session has subscribed to by exactly its name (else kConflict), where the policy has
  // presence. It ends with the subscription.
  //
  // Becomes present, or is present with another key and meta from now on. `meta` is a JSON object text, or empty. Errors also
  // kLimit: too long.
  Result<void> set_presence(std::string_view channel, std::string key, std::string meta);
  // What set_presence would say, but for the subscription.
  Result<void> may_set_presence(std::string_view channel, std::string_view key, std::string_view meta) const;
  // False: it was not present.
  bool clear_presence(std::string_view channel);
  // on_presence_state follows by the end of the turn, or later, and after it what changes. Watching already: told anew.
  Result<void> watch_presence(std::string_view channel);
  bool unwatch_presence(std::string_view channel);
  // Answered by on_presence, in full however many are present, maybe inside the call. Needs no subscription.
  void presence(std::string channel, Ticket ticket);
  // The same, answered by on_presence_counts.
  void presence_counts(std::string channel, Ticket ticket);

  // Queue groups. A session is a member until it leaves or ends; what it has in flight then is delivered again, to any member.
  //
  // Answered by on_group_joined, maybe inside the call, and before any delivery. Errors: the policy's of a subscribe, kLimit
  // (subscriptions and groups together), those of QueueGroups::join, and kConflict when it left before the answer.
  struct JoinGroup {
    GroupName name;
    GroupWish wish;
    std::size_t in_flight_max = kGroupInFlightDefault;
    Ticket ticket = 0;
  };
  void join_group(JoinGroup join);
  // False: it was no member.
  bool leave_group(const GroupName& name);
  // Answered by on_group_settled, maybe inside the call. Errors: kConflict (not a member), those of QueueGroups::settle.
  void settle_group(const GroupName& name, GroupSettle settle, Ticket ticket);
  std::size_t group_count() const;

  // Queues a frame and has on_outbox called at the end of this turn. An empty outbox takes a frame of any size; passing the
  // byte limit with answers alone wants the session's end as a slow consumer: a client that asks must also read.
  void enqueue(FramePtr frame);
  // The link has room again after it was full: calls on_outbox if something waits, and on_gap if that is still untold.
  void on_room();

  // Leaves every channel; no call to the client follows, what is queued is the link's to send. Idempotent.
  void end(EndReason reason);

 private:
  friend class Hub;
  friend class Shard;
  struct Subscription {
    Audience* audience;
    std::uint32_t index;     // Its place among the audience's members.
    bool answered = false;   // Its join is over, and what it brought is queued: the session hears the channels by it.
    bool recovered = false;  // And that included all that was missed.
    bool present = false;
    bool granted = false;  // The policy is not asked about its presence either.
  };
  enum class Ending : std::uint8_t { kNo, kTelling, kWanted };
  // Its place in a queue group.
  struct GroupSeat {
    std::uint64_t serial = 0;  // What the group's answers are matched by.
    GroupName name;
    GroupMember member = 0;
    bool joined = false;
    std::deque<GroupDelivery> held;  // Until the outbox has room; bounded by what may be in flight.
  };
  GroupSeat* find_seat(const GroupName& name);
  GroupSeat* find_seat(std::uint64_t serial);
  bool remove_seat(std::uint64_t serial);
  void leave_groups();

  Subscription* find(const Audience& audience);
  Subscription* find_exact(std::string_view channel);
  Result<void> may_have_presence(std::string_view channel);
  Result<void> check_presence(std::string_view key, std::string_view meta) const;
  const Member& member(const Subscription& subscription) const;

  // What a delivery touches comes first: one cache line.
  SessionClient& client_;
  const Encoding* encoding_;
  std::uint64_t delivery_stamp_ = 0;  // The last delivery that reached this session: one copy, however many match.
  Outbox outbox_;
  std::unique_ptr<std::vector<Gap>> gaps_;
  std::unique_ptr<std::vector<GroupSeat>> seats_;  // Null while there is none.
  std::uint32_t ready_place_ = 0;                  // In the shard's list of ready sessions, from 1; 0: not in it.
  bool ended_ = false;
  Ending ending_ = Ending::kNo;
  bool flushing_ = false;
  bool presence_lost_ : 1 = false;  // A member of it is kStateLost.
  bool streaming_ : 1 = false;      // Missed publications are on their way to it, page by page.

  SessionId id_ = 0;
  Shard& shard_;
  boost::container::small_vector<Subscription, 1> subscriptions_;
  const char* protocol_;
  IdentityPtr identity_;
  const std::string* user_agent_;
  std::int64_t connected_at_ms_;
};

}  // namespace carillon
