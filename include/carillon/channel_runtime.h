// ChannelRuntime: topics, their members, fan-out and presence as a deterministic machine: no clock, no I/O, no threads.
//
// Events go in one at a time; what they cause waits in an outbox until it is flushed, in the order it was emitted. Time enters
// only by the events. The same events give byte-same outbounds on every machine. The model is lightspeed's channel runtime; what
// it leaves open is decided here, and docs/internals/channel-runtime.md gives the reasons.
//
// A join, rejoin, leave, push, crash or restart costs O(1) whatever the number of members (a crash: the members of its topic);
// a broadcast costs O(1) here, and whoever sends it walks the recipients. One thread at a time.
//
// Nothing raises and nothing is limited here: whoever feeds the runtime bounds what it lets in (limits of texts, of members of a
// topic, of an outbox that is not flushed).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carillon {

// What goes in. All texts are opaque UTF-8.
namespace channel_event {

// A client becomes a member of a topic. The presence key is the user.
struct Join {
  std::string client_id;
  std::string topic;
  std::string user_id;
  std::int64_t now_ms = 0;
  std::string meta = {};  // A JSON object text with what else is to be known of this member; empty: nothing.
};

// The same for a client that comes back, or a member that says anew who it is: its presence is replaced in one diff.
struct Rejoin {
  std::string client_id;
  std::string topic;
  std::string user_id;
  std::int64_t now_ms = 0;
  std::string meta = {};
};

struct Leave {
  std::string client_id;
  std::string topic;
};

struct Broadcast {
  std::string client_id;
  std::string topic;
  std::string payload;
  bool to_sender = true;  // False: to all others.
};

struct Push {
  std::string client_id;
  std::string topic;
  std::string event;
  std::string payload;
};

// A topic crashes: its members are dropped, and what names it is refused until its restart. An empty topic: every topic.
struct Crash {
  std::string reason;
  std::string topic = {};
};

// An empty topic: what crashed without a topic, and every topic that crashed.
struct Restart {
  std::string topic = {};
};

}  // namespace channel_event

using ChannelEvent = std::variant<channel_event::Join, channel_event::Rejoin, channel_event::Leave, channel_event::Broadcast,
                                  channel_event::Push, channel_event::Crash, channel_event::Restart>;

struct PresenceMeta {
  std::string ref;           // Unique for each join, rejoin and update.
  std::string previous_ref;  // The ref that this one takes the place of; empty: none.
  std::int64_t online_at_ms = 0;
  std::string meta;       // As it came with the join.
  std::string client_id;  // Whose presence it is.
  friend bool operator==(const PresenceMeta&, const PresenceMeta&) = default;
};

struct PresenceEntry {
  std::string key;
  std::vector<PresenceMeta> metas;  // Never empty; in the order of their joins.
  friend bool operator==(const PresenceEntry&, const PresenceEntry&) = default;
};

struct PresenceChanges {
  std::vector<PresenceEntry> joins;
  std::vector<PresenceEntry> leaves;
  friend bool operator==(const PresenceChanges&, const PresenceChanges&) = default;
};

// The members of a topic at one moment, in the order they joined: a broadcast's recipients. Cheap to copy; it stays as it was
// when it was made, whatever the runtime does afterwards.
class Recipients {
 public:
  std::size_t size() const;
  bool empty() const { return size() == 0; }
  // Calls `visit(const std::string& client_id)` for each.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t place = 0; place < place_count(); ++place) {
      if (const std::string* const client = client_at(place)) visit(*client);
    }
  }
  std::vector<std::string> to_list() const;

  struct List;

 private:
  friend class ChannelRuntime;
  std::size_t place_count() const;
  const std::string* client_at(std::size_t place) const;  // Null: nobody.

  std::shared_ptr<const List> list_;
  std::size_t excluded_ = static_cast<std::size_t>(-1);
};

// What comes out.
namespace channel_outbound {

struct Reply {
  std::string client_id;
  std::string topic;
  std::string status;   // "ok" or "error".
  std::string payload;  // Of "ok": "" or "rejoined". Of "error": "already_joined", "not_joined" or "crashed".
};

struct PushMessage {
  std::string client_id;
  std::string topic;
  std::string event;
  std::string payload;
};

struct BroadcastMessage {
  std::string topic;
  std::string payload;
  Recipients recipients;
};

struct PresenceDiff {
  std::string topic;
  PresenceChanges changes;
};

// "crash:<reason>", "crash:<topic>:<reason>", "restart" or "restart:<topic>".
struct System {
  std::string label;
};

}  // namespace channel_outbound

using ChannelOutbound = std::variant<channel_outbound::Reply, channel_outbound::PushMessage, channel_outbound::BroadcastMessage,
                                     channel_outbound::PresenceDiff, channel_outbound::System>;

// Stable names: join, rejoin, leave, broadcast, push, crash, restart; reply, push_message, broadcast_message, presence_diff,
// system.
std::string_view channel_event_label(const ChannelEvent& event);
std::string_view channel_outbound_label(const ChannelOutbound& outbound);
// "<topic>:+<keys that joined>/-<keys that left>".
std::string presence_diff_label(const channel_outbound::PresenceDiff& diff);
// An outbound as one line of text that holds all of it, for comparing and for logs.
std::string channel_outbound_text(const ChannelOutbound& outbound);

class ChannelRuntime {
 public:
  static ChannelRuntime single_node();
  // Refs begin with the node's name, so that those of several nodes never meet.
  static ChannelRuntime cluster_ready(std::string node_id, std::string cluster);
  ChannelRuntime(ChannelRuntime&&) noexcept;
  ChannelRuntime& operator=(ChannelRuntime&&) noexcept;
  ~ChannelRuntime();

  void handle(ChannelEvent event);
  // What waits, in the order it was emitted; nothing waits afterwards.
  std::vector<ChannelOutbound> flush();

  // Everything crashed, by a crash without a topic.
  bool crashed() const;
  bool crashed(std::string_view topic) const;
  // "single_node" or "cluster_ready:<node>@<cluster>".
  const std::string& adapter_label() const;
  // In the order they joined.
  std::vector<std::string> subscribers(std::string_view topic) const;
  std::size_t subscriber_count(std::string_view topic) const;
  // Keys in the order their first member joined.
  std::vector<PresenceEntry> presences(std::string_view topic) const;
  std::size_t key_count(std::string_view topic) const;
  bool is_member(std::string_view client_id, std::string_view topic) const;
  // Members of all topics: one for each client and topic.
  std::size_t membership_count() const;
  std::size_t topic_count() const;
  // Topics with a member, in the order of their names.
  std::vector<std::string> topics() const;

 private:
  class State;
  explicit ChannelRuntime(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace carillon
