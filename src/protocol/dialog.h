// Dialog: one client's talk in one protocol: a state machine without sockets, on one loop. Owned by its link's connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/loop.h"
#include "base/unique_function.h"
#include "hub/outbox.h"
#include "protocol/link.h"
#include "wire/websocket/websocket_frame.h"

namespace carillon {

class Dialog : public Disposable {
 public:
  // What waits for this client; usually its session's.
  virtual Outbox& outbox() = 0;
  // One whole message from the client. The bytes are valid during the call; a text is valid UTF-8.
  virtual void on_message(std::string_view message, MessageKind kind) = 0;
  // The link has room again after it was full, or wants more: send what waits, as at the end of a turn.
  virtual void on_room() = 0;
  // Nothing was sent for as long as the dialog said when its stream was opened.
  virtual void on_quiet() {}
  // The server is stopping, and the link closes after this call: a WebSocket with the code returned (1012 for clients that
  // then come back by themselves), an event stream by ending. What is queued here leaves before that.
  virtual std::uint16_t on_drain() { return kCloseGoingAway; }
  // The link is gone or says goodbye: what is queued from here on does not leave. The last call, maybe made inside
  // Link::close; the dialog is freed once the link is gone, at the end of a turn.
  virtual void on_link_closed() = 0;
};

// Makes the dialog of a link that was just opened. The link outlives the dialog. Inside the call the link makes frames but
// sends nothing: it may be neither flushed nor closed yet, so nothing is subscribed to here.
using OpenDialog = UniqueFunction<std::unique_ptr<Dialog>(Link&)>;

}  // namespace carillon
