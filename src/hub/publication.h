// What is published: a Draft is what someone wants published, a Publication what was. A Publication is made once by the
// engine, never changed, and shared by all loops.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"

namespace carillon {

// Names a session while it lives and never again; its top 8 bits are the number of its loop. 0: nobody.
using SessionId = std::uint64_t;

// Where a publication stands in its channel. Offsets count from 1 without holes within one epoch; another epoch means
// that the channel's history was lost or removed and counting began anew.
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t offset = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

enum class PayloadFormat : std::uint8_t { kJson, kCbor, kBytes };

// Who is speaking, as far as we know. Anonymous when `user` is empty. Immutable, and shared by all that speaks of it.
struct Identity {
  std::string user;
  bool trusted = false;   // Showed the API key; or, where nothing that could be shown is configured, is on this machine.
  bool verified = false;  // A valid token says that this is the user. Else the user is what the client calls itself: for
                          // others to see, never to allow anything by.
  std::int64_t expires_at_ms = 0;  // Unix time from which this identity holds no more; 0: never.
  // All claims of the token, one JSON object; null when none was shown. Publications do not keep them.
  std::shared_ptr<const std::string> claims;
};
using IdentityPtr = std::shared_ptr<const Identity>;

// As it goes into what is published, which is kept long and counted without it.
inline IdentityPtr without_claims(const IdentityPtr& identity) {
  if (identity == nullptr || identity->claims == nullptr) return identity;
  Identity bare = *identity;
  bare.claims = nullptr;
  return std::make_shared<const Identity>(std::move(bare));
}

// Whether `other` is the same user. What a token showed is nobody's who only claims the name.
bool is_same_user(const Identity& identity, const Identity& other);

using Tags = std::vector<std::pair<std::string, std::string>>;

// Whom a publication is for, of those who hear its channel: by the session that published it, or by the user that its identity
// names. A publisher without a user is a user of its own: its session.
//
// What is for its publisher alone is no part of the channel's history: it is not kept, takes no position and no queue group
// has it. So with an engine that writes to a disk it may come before what was published earlier and is kept.
enum class DeliverTo : std::uint8_t { kAll, kOtherSessions, kOtherUsers, kOwnUser, kOwnSession };
constexpr bool is_private(DeliverTo to) {
  return to == DeliverTo::kOwnUser || to == DeliverTo::kOwnSession;
}

struct Draft {
  std::string channel;  // Canonical; the caller has checked it.
  std::string event;    // 1 to 255 bytes of UTF-8, no control characters.
  Bytes payload;        // One whole JSON text, one CBOR item, or any bytes.
  PayloadFormat format = PayloadFormat::kJson;
  IdentityPtr identity;  // Null: anonymous.
  SessionId publisher_session = 0;
  DeliverTo deliver_to = DeliverTo::kAll;
  bool own_form = false;  // The publishing session hears it by Encoding::encode_own.
  Tags tags;
  // Empty: none. A second draft with the same key on the same channel within the engine's idempotency window is not
  // published again; its receipt is the first one's.
  std::string idempotency_key;
};

struct Publication {
  std::string channel;
  std::optional<Position> position;  // Absent where the channel keeps no history.
  std::int64_t time_ms = 0;          // Unix time in milliseconds.
  Uuid id;
  std::string event;
  Bytes payload;
  PayloadFormat format = PayloadFormat::kJson;
  IdentityPtr identity;
  SessionId publisher_session = 0;
  DeliverTo deliver_to = DeliverTo::kAll;
  bool own_form = false;  // The publishing session hears it by Encoding::encode_own.
  Tags tags;

  bool is_for(SessionId session, const Identity& hearer) const;
  // For its publisher alone.
  bool is_private() const { return carillon::is_private(deliver_to); }

 private:
  mutable std::atomic<std::uint32_t> references_{0};
  friend void intrusive_ptr_add_ref(const Publication* publication) {
    publication->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(const Publication* publication) {
    if (publication->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete publication;
  }
};
using PublicationPtr = boost::intrusive_ptr<const Publication>;

// The draft made whole but for what its engine decides: position, time and id. Nothing but the idempotency key stays in the
// draft.
std::unique_ptr<Publication> publication_of(Draft&& draft);

// What the publisher is told.
struct Receipt {
  std::optional<Position> position;
  Uuid id;
  std::int64_t time_ms = 0;
  bool repeated = false;  // The idempotency key had been seen: nothing new was published.
};

}  // namespace carillon
