// InfotainerCommon: what the infotainer rooms of all loops share: who holds which session id, and what is counted. Made once a
// server; any thread.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/random.h"
#include "carillon/result.h"
#include "carillon/server_options.h"
#include "hub/durable_subscriptions.h"
#include "hub/state_store.h"
#include "hub/topic_directory.h"
#include "protocol/siblings.h"

namespace carillon {

class InfotainerDesk;

// The connection that speaks for a session id now.
struct InfotainerHolder {
  std::size_t place = 0;  // Of its room.
  std::uint64_t serial = 0;
  std::string owner;  // The user of a valid token; empty: anybody may take the session.
};

class InfotainerCommon {
 public:
  struct Parts {
    StateStore& state;
    const Clock& clock;
    DurableSubscriptions& durable;
    TopicDirectory& topics;
    Random& random;
  };

  InfotainerCommon(const InfotainerOptions& of, const Parts& parts);
  ~InfotainerCommon();

  // The newest connection holds the id from now on; gives the one that did. Error: kForbidden, another user's. `trusted` may
  // take any.
  Result<std::optional<InfotainerHolder>> claim(const Uuid& session, InfotainerHolder holder, bool trusted);
  // Does nothing when another one holds the id by now.
  void release(const Uuid& session, const InfotainerHolder& holder);
  // Whose the session is while anything of it is remembered; empty: nobody's, so everybody's. Any thread.
  void read_owner(const Uuid& session, UniqueFunction<void(Result<std::string>)> done);
  void keep_owner(const Uuid& session, const std::string& owner);
  std::size_t session_count() const { return sessions_.load(std::memory_order_relaxed); }

  const InfotainerOptions options;
  DurableSubscriptions& durable;
  TopicDirectory& topics;
  Random& random;
  Siblings<InfotainerDesk> siblings;
  std::atomic<std::uint64_t> takeovers{0};  // Sessions that went on by another connection while one was open.
  std::atomic<std::uint64_t> resumed{0};    // Subscriptions that were remembered for a client that came back.
  std::atomic<std::uint64_t> unknown{0};    // Publications for subscriptions that nobody made.

 private:
  struct IdHash {
    std::size_t operator()(const Uuid& id) const {
      return hash_name({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
    }
  };

  StateStore& state_;
  const Clock& clock_;
  std::mutex mutex_;
  boost::unordered_flat_map<Uuid, InfotainerHolder, IdHash> holders_;
  std::atomic<std::size_t> sessions_{0};
};

}  // namespace carillon
