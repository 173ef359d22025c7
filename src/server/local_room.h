// LocalRoom: the clients in this program, on the hub's side: each a native dialog over a link in memory. On loop 0 only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/loop.h"
#include "carillon/local_hub.h"
#include "protocol/native/native.h"
#include "server/local_queue.h"

namespace carillon {

// Encodings with each message's length before it, one object for each encoding, so that local clients share frames.
class LocalFraming {
 public:
  LocalFraming();
  ~LocalFraming();
  const Encoding& framed(const Encoding& inner);

 private:
  class Framed;
  std::vector<std::unique_ptr<Framed>> all_;
};

class LocalRoom {
 public:
  // `connections_max` counts all sessions of the hub, local or not; 0: no limit.
  LocalRoom(Shard& shard, DurableSubscriptions& durable, const NativeOptions& options, const LimitsOptions& limits);
  ~LocalRoom();

  struct Opened {
    SessionId id = 0;
    std::int64_t connected_at_ms = 0;
  };
  // Errors: kLimit (connections), kUnavailable (closed). Messages for the client go to `queue`.
  Result<Opened> open(const ClientMetadata& metadata, std::shared_ptr<LocalQueue> queue);
  // One command of the client. False: it is gone.
  bool command(SessionId id, std::string_view json);
  // The client has taken messages since its queue refused one.
  void on_room(SessionId id);
  // The client goes; nothing happens if it is gone.
  void close(SessionId id, std::string_view reason);
  // All clients go, and none comes any more.
  void close_all(std::string_view reason);

  Loop& loop() { return shard_.loop(); }

 private:
  class Connection;

  Connection* find(SessionId id);
  void remove(Connection& connection);

  Shard& shard_;
  NativeRoom native_;
  LocalFraming framing_;
  const std::size_t connections_max_;
  std::unordered_map<SessionId, std::unique_ptr<Connection>> connections_;
  bool closed_ = false;
};

}  // namespace carillon
