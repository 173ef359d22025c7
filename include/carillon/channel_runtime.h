// ChannelRuntime: topics, their members, fan-out and presence as a deterministic machine: no clock, no I/O, no threads.
//
// Events go in one at a time; what they cause waits in an outbox until it is flushed, in the order it was emitted. Time enters
// only by the events. The same events give byte-same outbounds on every machine. The model is lightspeed's channel runtime;
// what it leaves open is decided here, and docs/internals/channel-runtime.md gives the reasons.
//
// A join, rejoin, leave or push costs O(1) amortised whatever the number of members and of outbounds that wait, a crash what
// the members it drops cost, a restart the topics it brings back. A broadcast costs O(1) here; whoever sends it walks the
// recipients. One thread at a time, the recipients in a flushed broadcast included.
//
// Every event that names a client is answered by exactly one Reply. Nothing raises and nothing is limited here: whoever feeds
// the runtime bounds what it lets in (limits of texts, of members of a topic, of an outbox that is not flushed, of topics
// crashed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "carillon/presence_tracker.h"
#include "carillon/recipients.h"

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

// The same for a client that comes back, or a member that says anew who it is: its presence is replaced in one diff, and its
// place among the subscribers stays.
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

// By a member, to all members in the order they joined.
struct Broadcast {
  std::string client_id;
  std::string topic;
  std::string payload;
  bool to_sender = true;  // False: to all others.
};

// A message with a name, to the client itself.
struct Push {
  std::string client_id;
  std::string topic;
  std::string event;
  std::string payload;
};

// A topic crashes: its members are dropped without a diff, and what names it is refused until its restart. An empty topic:
// every topic. What has crashed already does not crash again, and says nothing.
struct Crash {
  std::string reason;
  std::string topic = {};
};

// Takes new members again. An empty topic: everything that crashed. While everything is down, a restart of one topic does
// nothing; so does one of a topic that has not crashed.
struct Restart {
  std::string topic = {};
};

}  // namespace channel_event

using ChannelEvent = std::variant<channel_event::Join, channel_event::Rejoin, channel_event::Leave, channel_event::Broadcast,
                                  channel_event::Push, channel_event::Crash, channel_event::Restart>;

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

using carillon::PresenceDiff;

// "crash:<reason>", "crash:<topic>:<reason>", "restart" or "restart:<topic>".
struct System {
  std::string label;
  std::string topic = {};  // Which topic; empty: all of them.
};

}  // namespace channel_outbound

using ChannelOutbound = std::variant<channel_outbound::Reply, channel_outbound::PushMessage, channel_outbound::BroadcastMessage,
                                     channel_outbound::PresenceDiff, channel_outbound::System>;

// Stable names: join, rejoin, leave, broadcast, push, crash, restart; reply, push_message, broadcast_message, presence_diff,
// system.
std::string_view channel_event_label(const ChannelEvent& event);
std::string_view channel_outbound_label(const ChannelOutbound& outbound);
// An outbound as one line of text that holds all of it, for comparing and for logs. Different outbounds have different texts.
std::string channel_outbound_text(const ChannelOutbound& outbound);

class ChannelRuntime {
 public:
  static ChannelRuntime single_node();
  // Refs begin with the node's name and a dot, so that those of several nodes never meet.
  static ChannelRuntime cluster_ready(std::string node_id, std::string cluster);
  ChannelRuntime(ChannelRuntime&&) noexcept;
  ChannelRuntime& operator=(ChannelRuntime&&) noexcept;
  ~ChannelRuntime();

  void handle(ChannelEvent event);
  // What waits, in the order it was emitted; nothing waits afterwards.
  std::vector<ChannelOutbound> flush();
  std::size_t outbox_size() const;

  // Whether everything crashed, by a crash without a topic.
  bool crashed() const;
  // Whether what names this topic is refused.
  bool crashed(std::string_view topic) const;
  // "single_node" or "cluster_ready:<node>@<cluster>".
  const std::string& adapter_label() const;
  // In the order they joined.
  std::vector<std::string> subscribers(std::string_view topic) const;
  std::size_t subscriber_count(std::string_view topic) const;
  // Keys in the order in which they became present.
  std::vector<PresenceEntry> presences(std::string_view topic) const;
  std::size_t key_count(std::string_view topic) const;
  std::size_t ref_count(std::string_view topic) const;
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
