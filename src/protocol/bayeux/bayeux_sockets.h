// BayeuxSocket: a WebSocket or event stream of a Bayeux client, on the loop where it is connected, and the sockets of that
// loop.
//
// Its session lives here or on another loop, as the first client id that it shows says: then what comes is posted there, and
// what is for the client comes from there (bayeux_far_line.h); or on another node, and then a WebSocket is relayed
// (bayeux_relay.h). It holds no more than a little: the rest waits in the session.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hub/outbox.h"
#include "protocol/bayeux/bayeux_line.h"
#include "protocol/bayeux/bayeux_relay.h"
#include "protocol/bayeux/bayeux_visitor.h"
#include "protocol/dialog.h"

namespace carillon {

class BayeuxSessions;

class BayeuxSocket final : public Dialog, public BayeuxLine {
 public:
  BayeuxSocket(BayeuxSessions& owner, Link& link, BayeuxTransport transport, BayeuxVisitor visitor);
  ~BayeuxSocket() override;

  // --- As a dialog
  Outbox& outbox() override { return outbox_; }
  void on_message(std::string_view message, MessageKind kind) override;
  void on_room() override;
  void on_quiet() override;
  void on_link_closed() override;

  // --- As a line
  BayeuxTransport transport() const override { return transport_; }
  bool has_room() const override { return outbox_.bytes() < kRoom; }
  void send(const FramePtr& messages) override;
  void send_array(std::string_view array) override;
  void flush() override;
  void close(std::uint16_t code, std::string_view reason) override;

  // An event stream that was just opened: what is for the session with this id goes through it.
  void begin_stream(std::string_view client_id, std::string_view cookie);
  std::uint64_t number() const { return number_; }
  // From the session's far line.
  void take_far(const std::vector<std::string>& arrays);

 private:
  // More waits in the session, where it is bounded and what is oldest can be dropped.
  static constexpr std::size_t kRoom = 64 << 10;

  BayeuxRelay* relay_for(std::string_view client_id, std::string_view message);
  void leave_session();
  void tell_left();
  std::string block(std::string_view array) const;
  void end(std::uint16_t code, std::string_view reason);

  BayeuxSessions& owner_;
  Link& link_;
  const BayeuxTransport transport_;
  const std::uint64_t number_;
  const Encoding* const framing_;  // Equal links have the same: they share frames.
  Outbox outbox_;
  const BayeuxVisitor visitor_;
  std::optional<std::size_t> far_;      // Where its session lives, when that is another loop.
  std::unique_ptr<BayeuxRelay> relay_;  // Null: no message of a session of another node has come.
  std::size_t untold_ = 0;              // Bytes for the far line that came here and that it has not heard of since.
  bool closed_ = false;
};

class BayeuxSockets {
 public:
  explicit BayeuxSockets(BayeuxSessions& owner);

  std::uint64_t add(BayeuxSocket& socket);
  void remove(std::uint64_t number) { all_.erase(number); }
  // From a far line.
  void send(std::uint64_t number, const std::vector<std::string>& arrays);
  void close(std::uint64_t number, std::uint16_t code, std::string_view reason);

  // Asks the loop of the session, which may be this one, whether there is one that this cookie may speak for. `then` is called
  // once, inside the call or in a later turn.
  void ask_for_session(std::string_view client_id, std::string_view cookie, UniqueFunction<void(bool)> then);

  // The messages framed as for the link: made once for all links of that kind, as long as the turn lasts.
  FramePtr framed(const FramePtr& messages, const Encoding* framing, Link& link);

  void answer(std::uint64_t number, bool is);

 private:
  struct Made {
    FramePtr messages;  // Kept, so that no other takes its address.
    FramePtr frame;
  };

  BayeuxSessions& owner_;
  boost::unordered_flat_map<std::uint64_t, UniqueFunction<void(bool)>> questions_;
  boost::unordered_flat_map<std::uint64_t, BayeuxSocket*> all_;
  std::uint64_t last_ = 0;
  boost::unordered_flat_map<std::pair<const Frame*, const Encoding*>, Made> made_;
  CallbackTimer forget_;
};

}  // namespace carillon
