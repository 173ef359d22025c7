// The native protocol's messages: JSON texts to commands, answers to JSON texts. No state of a talk.
//
// docs/protocol/native.md describes every message; the base is what guts' clients speak.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"
#include "hub/session.h"
#include "protocol/group_json.h"
#include "protocol/presence_json.h"
#include "wire/json/json_slicer.h"

namespace carillon {

enum class NativeVerb : std::uint8_t {
  kSubscribe,
  kUnsubscribe,
  kPing,
  kPublish,
  kHistory,
  kSubscriptions,
  kJoin,
  kLeave,
  kPresence,
  kPresenceStats,
  kAck,
  kNack,
  kExtend,
  kResume,
  kForget,
};

// How a client wants to be present.
struct NativePresence {
  bool watch = true;
  bool join = true;
  std::string key;   // Empty: its own.
  std::string meta;  // A JSON object as it came, or empty.
};

// A subscription that outlives the connection.
struct NativeDurable {
  static constexpr std::size_t kNameBytesMax = 64;
  static constexpr std::uint64_t kExpiresMax = 365 * 24 * 60 * 60;

  std::string name;
  std::uint64_t expires_s = 7 * 24 * 60 * 60;
  std::optional<Position> heard;  // Of ack.
};

// Texts are views into the message, or into the reader when they had escapes; both live until the next message is read.
struct NativeCommand {
  NativeVerb verb = NativeVerb::kPing;
  std::string_view channel;  // As the client wrote it.
  std::string_view event;
  std::string_view data;  // The JSON text of the payload, as it came.
  std::string_view idempotency_key;
  std::optional<std::vector<ChannelPosition>> recover;  // A position without a name has the command's own channel.
  std::optional<Position> since;
  std::optional<std::int64_t> from_ms;
  std::optional<std::uint64_t> limit;
  bool reverse = false;
  bool to_others = false;
  std::optional<NativePresence> presence;  // Of subscribe and join.
  std::optional<NativeDurable> durable;    // Of subscribe, ack, resume and forget.
  std::optional<GroupRequest> group;       // Of a subscribe or unsubscribe that names a queue group.
  std::optional<GroupSettleRequest> settle;
};

class NativeReader {
 public:
  // The error is "Invalid message format: …", as guts says it.
  Result<NativeCommand> read(std::string_view message);
  // The JSON text of the `id` of the message read last, to be echoed; empty when it had none.
  std::string_view id() const { return id_; }

 private:
  struct Fields;

  Result<Fields> read_fields(std::string_view message);
  Result<NativeCommand> command_of(const Fields& fields, std::string_view message);
  Result<void> read_publish(const Fields& fields, NativeCommand& command);
  Result<void> read_history(const Fields& fields, NativeCommand& command);
  Result<void> read_subscribe(const Fields& fields, NativeCommand& command);
  Result<void> read_join(const Fields& fields, NativeCommand& command);
  Result<void> read_durable(const Fields& fields, NativeCommand& command);
  Result<void> read_group(const Fields& fields, NativeCommand& command);
  Result<void> read_settle(const Fields& fields, NativeCommand& command);
  Result<std::optional<NativePresence>> presence_of(const JsonSpan& span);
  Result<void> read_key_and_meta(const JsonSpan* key, const JsonSpan* meta, NativePresence& presence);
  Result<std::string_view> text_of(const JsonSpan* span, std::string_view name, std::string& scratch);
  Result<Position> position_of(const JsonSpan& span);
  Result<std::vector<ChannelPosition>> positions_of(const JsonSpan& span);

  JsonSlicer slicer_;
  JsonSlicer inner_slicer_;
  std::string type_, channel_, event_, key_, inner_;
  std::string id_;
};

// --- Answers. `id` is a JSON text or empty.

struct NativeSubscribed {
  std::string_view own_name;  // What the channel is called in the outcome's positions.
  bool asked_to_recover = false;
  std::string_view key;      // Under which the client is present now; empty: it did not ask for it.
  std::string_view durable;  // The name under which it is remembered; empty: it is not.
};
std::string native_subscribed(std::string_view channel, std::string_view id, const Subscribed& outcome,
                              const NativeSubscribed& asked);
std::string native_unsubscribed(std::string_view channel, std::string_view id);
std::string native_pong(std::string_view id);
std::string native_published(std::string_view channel, std::string_view id, const Receipt& receipt);
std::string native_history(std::string_view channel, std::string_view id, const HistoryPage& page, EventNames names);
std::string native_subscriptions(std::string_view id, const std::vector<std::string>& channels);
std::string native_gap(const Gap& gap);
std::string native_continuity(Continuity continuity);
std::string native_joined(std::string_view channel, std::string_view id, std::string_view key);
std::string native_left(std::string_view channel, std::string_view id);
std::string native_presence(std::string_view channel, std::string_view id, const PresenceState& state,
                            PresenceSessions sessions);
// An answer, or what those who watch a crowded channel are told.
std::string native_presence_stats(std::string_view channel, std::string_view id, const PresenceCounts& counts);
std::string native_presence_state(const PresenceState& state);
void append_native_presence_diff(std::string& out, const PresenceUpdate& diff);
std::string native_resumed(std::string_view durable, std::string_view id, const std::vector<std::string>& channels);
// "acked", "forgotten".
std::string native_remembered(std::string_view type, std::string_view channel, std::string_view durable, std::string_view id);
// The server ended the subscription.
std::string native_ended(std::string_view channel, std::string_view reason, bool crashed);
std::string native_error(std::string_view message, std::string_view code, std::string_view id);

}  // namespace carillon
