// BayeuxLine: a way to a client that stays open: a WebSocket, or an event stream. Used on the loop of the session that speaks
// through it, which may be another than the connection's.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "hub/frame.h"

namespace carillon {

class BayeuxSession;

// How a request came, and so how its answer goes.
enum class BayeuxTransport : std::uint8_t { kWebSocket, kLongPolling, kCallbackPolling, kEventSource };

// "websocket", "long-polling", "callback-polling", "eventsource": what clients call it.
std::string_view bayeux_transport_name(BayeuxTransport transport);

class BayeuxLine {
 public:
  virtual ~BayeuxLine() { *self_ = nullptr; }

  virtual BayeuxTransport transport() const = 0;
  // Whether more deliveries may be sent. Who was told no hears BayeuxSession::on_line_room.
  virtual bool has_room() const = 0;
  // Messages as BayeuxEncoding writes them; they leave as one array, behind what was sent before.
  virtual void send(const FramePtr& messages) = 0;
  // A whole array of replies; taken however much waits.
  virtual void send_array(std::string_view array) = 0;
  // What was sent leaves now.
  virtual void flush() = 0;
  virtual void close(std::uint16_t code, std::string_view reason) = 0;

  // Who speaks through it; null: nobody yet, or nobody any more.
  BayeuxSession* session() const { return session_; }
  // Points to this line while it is there, for who waits: null afterwards.
  std::shared_ptr<BayeuxLine*> self() const { return self_; }

 private:
  friend class BayeuxSession;
  BayeuxSession* session_ = nullptr;
  std::shared_ptr<BayeuxLine*> self_ = std::make_shared<BayeuxLine*>(this);
};

}  // namespace carillon
