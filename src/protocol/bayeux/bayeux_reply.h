// Replies to Bayeux messages, as JSON. No state; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bayeux/bayeux_codec.h"

namespace carillon {

// What the reply says; empty texts are left out, and texts named …_json are JSON values as they go out.
struct BayeuxReply {
  std::string_view id_json;
  std::string_view channel;
  std::string_view subscription_json;
  std::string_view client_id;                     // Of handshakes.
  std::span<const std::string> connection_types;  // Of handshakes, with the version.
  std::string error;                              // Empty: successful.
  std::string advice_json;
  std::string ext_json;
  std::string timestamp;
  std::size_t messages_along = 0;  // x-messages: so many deliveries are in the same array.
};
std::string bayeux_reply(const BayeuxReply& reply);
void append_bayeux_reply(std::string& out, const BayeuxReply& reply);

inline constexpr std::string_view kBayeuxConnect = "/meta/connect";
// The same for a connect that was just answered: {"id":…,"channel":"/meta/connect","successful":true}.
void append_bayeux_connect_reply(std::string& out, std::string_view id_json);

// The reply to a message, without more than what it echoes.
BayeuxReply reply_to(const BayeuxMessage& message);

struct BayeuxAdvice {
  std::string_view reconnect = "retry";  // "handshake", "none".
  std::uint64_t interval_ms = 0;
  std::optional<std::uint64_t> timeout_ms = {};
  std::optional<std::uint64_t> max_interval_ms = {};
  bool multiple_clients = false;
};
std::string bayeux_advice(const BayeuxAdvice& advice);

// Both objects' members in one; where they share a name, the second's. Either may be empty; a text that is no object is as
// empty.
std::string merged_json(std::string_view first, std::string_view second);

// "[…]" of deliveries as they wait, each with a comma behind it, and replies; `first` of the replies go ahead of the
// deliveries.
std::string bayeux_array(std::string_view deliveries, std::span<const std::string> replies, std::size_t first = 0);

}  // namespace carillon
