// BayeuxCommon: what the Bayeux rooms of all loops share. Made once a server; any thread.
#pragma once

#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "carillon/bayeux.h"
#include "carillon/server_options.h"
#include "hub/selector.h"
#include "protocol/bayeux/bayeux_channel.h"
#include "protocol/bayeux/bayeux_client_id.h"
#include "protocol/bayeux/bayeux_events.h"
#include "protocol/bayeux/bayeux_guard.h"
#include "protocol/bayeux/bayeux_services.h"
#include "protocol/siblings.h"

namespace carillon {

class BayeuxSessions;
using BayeuxSiblings = Siblings<BayeuxSessions>;

// Names and how often each is there.
class BayeuxTally {
 public:
  // How many there are with it.
  std::size_t add(std::string_view name);
  void remove(std::string_view name);
  bool has(std::string_view name) const;

 private:
  mutable std::mutex mutex_;
  boost::unordered_flat_map<std::string, std::size_t, NameHash, NameEqual> counts_;
};

// A browser, as its sessions share it, on whatever loops they live. Any thread.
struct BayeuxBrowser {
  static constexpr std::size_t kIdBytes = 40;

  std::string_view id() const { return {id_bytes.data(), id_bytes.size()}; }

  std::array<char, kIdBytes> id_bytes;  // Its cookie.
  std::atomic<std::uint32_t> polls{0};  // Connects by HTTP that it has waiting.

 private:
  friend class BayeuxBrowsers;
  std::uint32_t sessions_ = 0;
};

// The browsers that have sessions.
class BayeuxBrowsers {
 public:
  // Of that cookie (is_bayeux_browser_id), for one session more. It stays until each of them has left.
  BayeuxBrowser& join(std::string_view id);
  void leave(BayeuxBrowser& browser);
  std::size_t size() const;

 private:
  using Owned = std::unique_ptr<BayeuxBrowser>;
  struct Hash : NameHash {
    using NameHash::operator();
    std::size_t operator()(const Owned& browser) const { return hash_name(browser->id()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Owned& a, const Owned& b) const { return a->id() == b->id(); }
    bool operator()(std::string_view id, const Owned& browser) const { return id == browser->id(); }
    bool operator()(const Owned& browser, std::string_view id) const { return id == browser->id(); }
  };

  mutable std::mutex mutex_;
  boost::unordered_flat_set<Owned, Hash, Equal> browsers_;
};

// The way from the program's threads to a session, which may be gone, as may the server.
class BayeuxDoor {
 public:
  explicit BayeuxDoor(BayeuxSiblings& siblings) : siblings_(&siblings) {}

  // Runs the task on the loop of the session, or nowhere. Any thread.
  void post(std::string_view client_id, UniqueFunction<void(BayeuxSessions&)> task);
  void close();

 private:
  std::mutex mutex_;
  BayeuxSiblings* siblings_;  // Null: closed.
};

struct BayeuxCommon {
  BayeuxCommon(const BayeuxOptions& of, BayeuxHooks with, std::size_t loop_count);
  // The loops have stopped by now, and may be gone.
  ~BayeuxCommon();

  std::size_t session_count() const { return sessions.load(std::memory_order_relaxed); }

  const BayeuxOptions options;
  const BayeuxHooks hooks;
  const std::size_t loops;
  const BayeuxAlphabet alphabet;
  const std::vector<std::string> connection_types;  // That clients are told.
  // Whether a WebSocket may go on with a session of another node, which takes that for polls.
  const bool relays;
  const std::vector<Selector> lazy_channels;
  const BayeuxGuard guard;
  const BayeuxServices services;
  BayeuxEvents events;
  BayeuxSiblings siblings;
  const std::shared_ptr<BayeuxDoor> door;
  BayeuxTally subscribed;  // Channels and wildcards, as on the wire.
  BayeuxBrowsers browsers;
  std::atomic<std::size_t> sessions{0};
  std::atomic<std::size_t> held{0};                  // Connects that wait, by HTTP or through a line.
  std::atomic<std::uint64_t> handshakes_refused{0};  // Whatever the reason.
  std::atomic<std::uint64_t> expired{0};             // Sessions that ended because no connect came.
};

}  // namespace carillon
