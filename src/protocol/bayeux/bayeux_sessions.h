// BayeuxSessions: the Bayeux sessions of one loop, and the requests for any session that come here.
//
// A session lives on the loop where it shook hands. A request that arrives on another loop is handed over by the place in its
// client id, one that arrives on another node is forwarded by the node in it; a WebSocket or event stream that arrives on
// another loop is carried by a far line (bayeux_far_line.h). A WebSocket that arrives on another node is relayed
// (bayeux_relay.h), an event stream there finds no session.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/log_limit.h"
#include "hub/shard.h"
#include "protocol/bayeux/bayeux_encoding.h"
#include "protocol/bayeux/bayeux_far_line.h"
#include "protocol/bayeux/bayeux_session.h"
#include "protocol/bayeux/bayeux_sockets.h"
#include "protocol/bayeux/bayeux_visitor.h"
#include "protocol/identify.h"
#include "protocol/node_forward.h"
#include "wire/guts/canonical_channel.h"

namespace carillon {

struct BayeuxParts {
  Shard& shard;
  Random& random;
  Identify identify;
  std::function<bool(std::string_view origin, std::string_view host)> may_use_origin;
  ChannelTextOptions text_options;
  std::size_t message_bytes_max = 1 << 20;
  BayeuxCommon& common;          // Outlives the room.
  NodeForward* nodes = nullptr;  // Null: there is one node. Ends behind the room.
};

class BayeuxSessions {
 public:
  explicit BayeuxSessions(BayeuxParts parts);
  ~BayeuxSessions();

  // A request over HTTP, of an origin that may; on any loop.
  // `text`: its messages; empty: the request's body as it stands.
  void take(BayeuxAnswerer answerer, std::string text);
  // What came through a line that ends here: whole text messages. Handshakes too, for which `visitor` shows who asks; it may be
  // null where the line's end is on another loop, where handshakes are done. Error: the line must close with this reason.
  Result<void> take(BayeuxLine& line, std::string_view text, const BayeuxVisitor* visitor);
  // A line for the session alone, as an event stream. False: there is no such session, or none for this cookie.
  bool attach(BayeuxLine& line, std::string_view client_id, std::string_view cookie);
  bool has_session(std::string_view client_id, std::string_view cookie);

  // For the program, and for its answers.
  bool send_to(std::string_view client_id, std::string_view channel, std::string_view data_json, bool lazy);
  bool remove(std::string_view client_id, bayeux_event::RemovalReason reason);
  void remove_all(bayeux_event::RemovalReason reason);

  // By which the request's browser is known; empty: it shows none, or none is looked at.
  std::string_view cookie_of(const HttpRequest& request) const;
  BayeuxSession* find(std::string_view client_id);
  std::size_t size() const { return sessions_.size(); }

  // --- For sessions and lines of this loop

  BayeuxCommon& common() { return parts_.common; }
  const BayeuxParts& parts() const { return parts_; }
  Shard& shard() { return parts_.shard; }
  Loop& loop() { return parts_.shard.loop(); }
  std::size_t place() const { return place_; }
  const BayeuxEncoding& encoding() const { return encoding_; }
  // For sessions that replay.
  const BayeuxEncoding& encoding_with_positions() const { return encoding_with_positions_; }
  BayeuxReader& reader() { return reader_; }
  DeadlineList& deadlines() { return deadlines_; }
  BayeuxSockets& sockets() { return sockets_; }
  BayeuxFarLines& far_lines() { return far_lines_; }
  std::int64_t unix_ms() const { return parts_.shard.hub().clock().unix_ms(); }
  // Whether anybody in the program may look at the headers of who shakes hands.
  bool wants_headers() const;
  // It is over: freed at the end of the turn.
  void forget(BayeuxSession& session);

 private:
  struct Handshaken {
    std::string array;
    BayeuxSession* session = nullptr;  // Null: refused.
    std::string browser;               // To be set as a cookie; empty: none.
  };

  void forward(std::uint16_t node, BayeuxAnswerer answerer, std::string text);
  // On this node: to the loop that the client id names.
  void pass(BayeuxAnswerer answerer, std::string text);
  void take_here(BayeuxAnswerer answerer, const std::string& given);
  Handshaken handshake(const BayeuxMessage& message, const BayeuxVisitor& visitor, std::string_view cookie);
  std::string fault_of(const BayeuxMessage& message) const;
  Result<IdentityPtr> identity_of(const BayeuxMessage& message, const BayeuxVisitor& visitor);
  std::string welcome(const BayeuxMessage& message, BayeuxSession& session, const BayeuxVerdict& verdict);
  BayeuxSession& open(BayeuxSession::Start start);
  bool make_room();
  std::string unknown_session(std::span<const BayeuxMessage> messages) const;

  BayeuxParts parts_;
  const std::size_t place_;
  const BayeuxEncoding encoding_;
  const BayeuxEncoding encoding_with_positions_;
  BayeuxReader reader_;
  DeadlineList deadlines_;
  LogLimit log_;
  BayeuxSockets sockets_;
  BayeuxFarLines far_lines_;
  boost::unordered_flat_map<BayeuxClientKey, std::unique_ptr<BayeuxSession>> sessions_;
  std::deque<std::string> unconnected_;  // Client ids, oldest first, of sessions that had not connected; some have since.
};

}  // namespace carillon
