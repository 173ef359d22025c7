// RoutesCommon: what the routes rooms of all loops share. Made once a server; any thread.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "carillon/routes.h"
#include "carillon/server_options.h"
#include "hub/publication.h"
#include "hub/state_store.h"
#include "protocol/siblings.h"

namespace carillon {

class RoutesDesk;
using RoutesSiblings = Siblings<RoutesDesk>;

// A request that a handler is asked. Immutable but for `cancelled`.
struct RoutesJob {
  std::size_t place = 0;     // The loop of its connection,
  std::uint64_t serial = 0;  // and the dialog there.
  std::uint64_t ticket = 0;
  SessionId session = 0;
  RouteConnectionPtr connection;
  IdentityPtr identity;
  const RouteEntry* entry = nullptr;
  std::string payload;
  std::string id;  // JSON; empty: none.
  // The connection has ended.
  std::shared_ptr<std::atomic<bool>> cancelled;
};
using RoutesJobPtr = std::shared_ptr<const RoutesJob>;

// What a handler says, checked.
struct RoutesOutgoing {
  std::string channel;  // Canonical; empty: the sender's personal stream.
  std::string route;
  std::string event;
  Bytes payload;
  SendMethod method = SendMethod::kSenderOnly;
  SenderIs sender = SenderIs::kUser;
  std::string sent_by;  // JSON; empty: nobody.
  std::string error;    // JSON; empty: none.
  bool system = false;
};

// The way from the program's threads to the loops, which may be gone.
class RoutesDoor {
 public:
  explicit RoutesDoor(RoutesSiblings& siblings) : siblings_(&siblings) {}

  // Runs the task on that loop, or destroys it unrun. False: the server has stopped.
  bool post(std::size_t place, UniqueFunction<void(RoutesDesk&)> task);
  std::size_t count();
  void close();

 private:
  std::mutex mutex_;
  RoutesSiblings* siblings_;  // Null: closed.
};

// How many connections of a user are just coming into a channel, or leaving it, on all loops: so that what is told of a user is
// told by one of them.
class RoutesMoves {
 public:
  // How many others there are.
  std::size_t begin(std::string_view channel, std::string_view key);
  // How many there still are.
  std::size_t end(std::string_view channel, std::string_view key);

 private:
  std::mutex mutex_;
  boost::unordered_flat_map<std::string, std::size_t> moving_;
};

struct RoutesCommon {
  struct Parts {
    StateStore& state;
    const Clock& clock;
    std::size_t message_bytes_max = 0;  // Where the options say nothing of their own.
    std::size_t presence_list_max = 0;  // Channels with more members tell nobody of who comes and goes.
    // Has a handler called on a thread of its own. False: too many wait already.
    std::function<bool(RoutesJobPtr)> launch;
  };
  RoutesCommon(const RoutesOptions& of, RouteHooks with, Parts parts);
  // The loops have stopped by now, and may be gone.
  ~RoutesCommon() { door->close(); }

  // Null: no such route.
  const RouteEntry* find(std::string_view route) const;
  std::size_t message_bytes_max() const { return options.message_bytes == 0 ? parts.message_bytes_max : options.message_bytes; }

  const RoutesOptions options;
  const RouteHooks hooks;
  const Parts parts;
  RoutesSiblings siblings;
  const std::shared_ptr<RoutesDoor> door;
  RoutesMoves coming, leaving;
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> calls{0};            // Requests that handlers have not finished.
  std::atomic<std::uint64_t> calls_total{0};    // Ever given to handlers.
  std::atomic<std::uint64_t> refused_total{0};  // Requests beyond a limit.

 private:
  boost::unordered_flat_map<std::string_view, const RouteEntry*, NameHash, NameEqual> table_;
};

// The draft of a message. `identity` and `session`: the sender's.
Draft routes_draft(RoutesOutgoing outgoing, std::string channel, const IdentityPtr& identity, SessionId session,
                   std::string_view id);

// Where drafts and the program's values lie in the state store.
std::string routes_state_key(std::string_view key);
std::string routes_draft_key(std::string_view channel);

}  // namespace carillon
