// Shard: one loop's part of the hub: its sessions, who of them hears what, and the end of each turn.
//
// A turn's publications are collected in the inbox. At the turn's end they are grouped by channel; each group is encoded once
// an Encoding into shared frames, queued for everybody who hears the channel, and then each session with something to send is
// flushed once. On its own loop only, but for push().
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/counter.h"
#include "base/log_limit.h"
#include "base/loop.h"
#include "hub/audience.h"
#include "hub/expiry_list.h"
#include "hub/hub.h"
#include "hub/join.h"
#include "hub/presence_store.h"
#include "hub/session.h"

namespace carillon {

class Shard final : public TurnEnd {
 public:
  Shard(Hub& hub, Loop& loop, unsigned index);
  ~Shard() override;

  Hub& hub() { return hub_; }
  Loop& loop() { return loop_; }
  FrameMemory& frame_memory() { return frame_memory_; }

  // A publication for this loop. Any thread; the caller keeps each channel's order. On the loop's own thread it is delivered
  // at this turn's end, or, if that has been, with the next turn, whatever causes that one.
  void push(PublicationPtr publication);
  void push(PresenceUpdatePtr diff);

  // The engine lost publications of the channel for all who hear it. On the loop.
  void tell_gap(const std::string& channel, std::uint64_t count);
  void tell_continuity(Continuity continuity);

  // Calls the function in a later turn, when the store has been told how the presence of this loop's sessions changed until
  // now. On the loop.
  void when_presence_is_told(Task go_on);

  Session* find_session(SessionId id);
  void on_turn_end() override;

 private:
  friend class Hub;
  friend class Session;

  struct Counters {
    Counter sessions, subscriptions, connections_total, subscriptions_total, deliveries_total, dropped_total, slow_closed_total,
        outbox_bytes, presence_news_total, presence_states_total;
  };
  // The publications of one channel in one turn.
  struct Group {
    std::vector<PublicationPtr> publications;
    std::vector<SessionId> singled_out;  // Who gets some not, or in a form of its own: each as its publisher; sorted.
    bool mixed = false;                  // Some are for one user, or for all but one: who gets what is asked of every session.
  };
  // What this loop knows of one channel's presence: while somebody here watches it, or has changed it this period.
  struct ChannelPresence {
    std::vector<PresenceChange> changes;  // For the store, oldest first.
    std::size_t watchers = 0;
    std::vector<SessionId> waiting;       // Of the watchers: who is to be told who is there.
    bool asking = false;                  // The store owes a state,
    bool stale = false;                   // which nobody can use any more.
    std::vector<PresenceUpdatePtr> held;  // What came meanwhile, for those who wait.
    std::uint64_t version = 0;            // Of the counts.
    bool crowded = false;                 // Only counts are told.
    bool counts_due = false;
    PresenceCounts counts;
  };
  // What those who watch are told: a diff, or only how many there are.
  struct PresenceNews {
    std::string_view channel;
    const PresenceUpdate* diff = nullptr;
    PresenceCounts counts;
  };
  struct Completion {
    SessionId session;
    Ticket ticket;
    std::uint32_t stream;  // The join that brings the session's own copy; 0: none.
    Result<Receipt> outcome;
  };
  using FrameRun = std::vector<FramePtr>;
  using JoinId = std::uint32_t;  // 0: none.

  SessionId add_session(Session& session);
  void remove_session(Session& session);
  void expire(SessionId session);
  const std::string* intern(std::string_view text);
  void release(const std::string* text);

  Audience* find_audience(const Selector& selector);
  Session::Subscription& add_member(Session& session, const Selector& selector);
  // Returns the join that was still under way; its ticket is then the caller's to answer.
  std::unique_ptr<Join> remove_member(Session& session, std::uint32_t slot);
  void settle(Audience& audience);
  void drop_audience(Audience& audience);
  void leave(Session& session);

  // `existing`: the subscription that begins anew, or null.
  void start_join(Session& session, SubscribeOptions options, Session::Subscription* existing);
  void cover_joins(Session& session, const Session::Subscription& ending);
  std::unique_ptr<Join> take_join(Member& member);
  void answer_superseded(Session& session, const Join& join);
  void read_channels(JoinId join_id);
  void take_channels(JoinId join_id, Result<std::vector<ChannelRecord>> outcome);
  void read_pages(JoinId join_id, std::vector<std::string> channels);
  void take_page(JoinId join_id, std::string channel, bool from_start, Result<HistoryPage> outcome);
  void finish_join(JoinId join_id);
  void answer_join(Session& session, Join& join);
  bool leave_out_heard(const Session& session, Join& join);
  bool still_member(Session& session, const Join& join);

  // Recovery page by page: shard_stream.cc.
  bool may_stream(const Session& session, const Join& join) const;
  bool fits(const Session& session, const std::vector<PublicationPtr>& publications) const;
  void begin_stream(Session& session, JoinId join_id, std::unique_ptr<Join> join);
  void pump_stream(JoinId join_id);
  void pump_streams(Session& session);
  void queue_streamed(Session& session, Join::Stream& stream);
  void ask_stream(JoinId join_id, Join& join);
  void take_stream_page(JoinId join_id, Result<HistoryPage> outcome);
  void finish_stream(JoinId join_id);
  void hold_for_streams(const Group& group);
  void forget_stream(JoinId join_id, Session& session);
  void lose_stream(Session& session, const Join& join);
  JoinId stream_on(const Session& session, std::string_view channel) const;

  // Presence: shard_presence.cc.
  ChannelPresence& presence_of(std::string_view channel);
  void forget_presence_if_idle(std::string_view channel);
  void change_presence(std::string_view channel, PresenceChange change);
  void watch_presence(Session& session, Session::Subscription& subscription);
  bool unwatch_presence(Session::Subscription& subscription);
  bool clear_presence(Session& session, Session::Subscription& subscription);
  void end_presence(Session& session, Session::Subscription& subscription);
  void settle_presence();
  void send_presence_changes();
  void deliver_presence();
  void deliver(const PresenceUpdatePtr& diff);
  void tell_presence(const PresenceNews& news);
  FramePtr presence_frame(const Encoding& encoding, const PresenceNews& news);
  void want_state(ChannelPresence& presence, const std::string& channel, SessionId session);
  bool note_crowd(ChannelPresence& presence, const std::string& channel, const PresenceCounts& counts);
  void ask_presence_states();
  void take_presence_state(const std::string& channel, Result<PresenceStatePtr> outcome);
  void tell_waiting(ChannelPresence& presence, const PresenceState& state);
  void on_presence_second();
  void lose_presence(Session& session, const std::string& channel);
  void find_lost_presence(Session& session);
  std::size_t close_channel(const std::string& channel, std::string_view reason, bool crash);

  void complete(SessionId session, Ticket ticket, JoinId stream, Result<Receipt> outcome);

  bool collect_inbox();
  void deliver_inbox();
  void end_walk();
  void deliver(const Group& group);
  void hold_for(const std::vector<JoinId>& joins, const Group& group);
  void queue_chosen(Session& session, const Group& group, SlowConsumer policy);
  void queue_mixed(Session& session, const Group& group, SlowConsumer policy);
  const FrameRun& frames_for(const Encoding& encoding, const Group& group);
  const FrameRun& single_frames_for(const Encoding& encoding, const Group& group);
  // For all; or for one session, only what is for it, and what it published in its own form. How many that were.
  std::size_t encode_run(const Encoding& encoding, std::span<const PublicationPtr> publications, FrameRun& out,
                         const Session* hearer = nullptr);
  void queue(Session& session, const FramePtr& frame, SlowConsumer policy);
  bool make_room(Session& session, std::size_t bytes, SlowConsumer policy);
  void want_end(Session& session);
  void count_gap(Session& session, const Frame& dropped);
  void tell_gaps(Session& session);
  void note_gap(Session& session, const std::string& channel, std::uint64_t messages);
  std::size_t outbox_limit() const;
  void shed_memory();
  void mark_ready(Session& session);
  // Runs the task on this loop: now, when this is its thread.
  void run_here(Task task);
  bool work_left();
  void renew_lease();
  void flush_ready();
  void fetch_ahead(std::size_t place) const;
  void flush(Session& session);
  void hold(SessionId session, std::uint64_t seat, std::vector<GroupDelivery> deliveries);
  void send_held(Session& session);
  void run_completions();
  Join* join_of(const Session& session);

  SessionInfo describe(const Session& session) const;

  Hub& hub_;
  Loop& loop_;
  const unsigned index_;
  FrameMemory frame_memory_;
  Counters counters_;

  std::vector<Session*> sessions_;  // By slot; null where free.
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t session_serial_ = 0;
  std::uint64_t seat_serial_ = 0;
  std::unordered_map<std::string, std::uint32_t> interned_;  // User agents, counted.
  ExpiryList expiries_;

  SelectorTable<std::unique_ptr<Audience>> audiences_;
  boost::unordered_flat_map<JoinId, std::unique_ptr<Join>> joins_;
  JoinId last_join_ = 0;
  std::vector<JoinId> streams_;  // Joins that bring pages.

  std::mutex inbox_mutex_;
  std::vector<PublicationPtr> inbox_;              // Under inbox_mutex_.
  std::vector<PresenceUpdatePtr> presence_inbox_;  // Under inbox_mutex_.
  std::vector<PublicationPtr> collected_;          // Taken from the inbox, being delivered.
  std::vector<Group> groups_;                      // Reused every turn; the first group_count_ are in use.
  std::size_t group_count_ = 0;
  std::uint64_t delivery_stamp_ = 0;
  std::vector<std::pair<const Encoding*, FrameRun>> encoded_;  // Of the group being delivered.
  std::string scratch_;
  bool shed_ = false;

  // While members are walked, clients are called that may subscribe, leave and end: what would move members waits until the
  // walk is over.
  bool walking_ = false;
  bool finishing_ = false;            // finish_ready_ is being worked off.
  std::vector<Audience*> unsettled_;  // Whose members left meanwhile.
  std::vector<JoinId> finish_ready_;  // Joins whose last page came meanwhile.
  std::vector<JoinId> joining_;       // That hear the group being delivered.

  boost::unordered_flat_map<std::string, std::unique_ptr<ChannelPresence>, NameHash, NameEqual> presences_;
  std::vector<std::string> presence_changed_;     // Channels with changes that the store has not heard.
  std::vector<Task> presence_told_;               // Wait until those are told.
  std::vector<std::string> presence_waiting_;     // Channels with watchers who wait for a state that nobody asked for yet.
  std::vector<std::string> presence_unanswered_;  // Channels whose state the store could not give.
  std::vector<std::string> counts_due_;           // Crowded channels whose counts have changed.
  CallbackTimer presence_timer_;                  // Armed while changes wait for their period to end.
  CallbackTimer second_timer_;                    // Armed while counts are due or a state is to be asked for again.
  CallbackTimer lease_timer_;                     // Of the first shard.

  LogLimit slow_log_;
  std::vector<Completion> completions_;
  std::vector<Session*> ready_;  // With something to send this turn; null where one has left.
};

}  // namespace carillon
