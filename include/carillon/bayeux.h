// The application side of Bayeux (CometD): hear of its sessions, speak to one client, decide who may do what, answer service
// channels.
//
//   carillon::BayeuxHooks hooks;
//   hooks.services.push_back({"/service/echo", [](carillon::BayeuxCall call) { call.reply(call.data()); }});
//   auto server = carillon::Server::start(options, hooks);
//   auto events = (*server)->bayeux().listen();
//
// Channels are written as Bayeux clients write them: "/repo/alice/app". Data are whole JSON texts.
#pragma once

#include <any>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "carillon/local_hub.h"
#include "carillon/result.h"

namespace carillon {

// A client as the application sees it. Immutable; any thread.
struct BayeuxClient {
  std::string client_id;
  std::string user;       // Empty: anonymous.
  bool verified = false;  // A valid token says so; else it is what the client calls itself.
  std::string peer;
  std::string user_agent;
  std::vector<std::pair<std::string, std::string>> headers;  // Of the request that made the session.
  std::any data;                                             // What `may_handshake` gave it.
};
using BayeuxClientPtr = std::shared_ptr<const BayeuxClient>;

// --- Deciding. All of this is called on the server's loops, several at a time: answer at once, and lock what is yours.

struct BayeuxHandshake {
  const BayeuxClient& client;  // Without an id yet.
  std::string_view ext;        // The message's ext, a JSON object; empty: none.
};

struct BayeuxVerdict {
  bool allowed = true;
  std::string advice;  // JSON objects to be merged into the reply's, whether allowed or not; empty: nothing.
  std::string ext;
  std::any data;  // Of an allowed handshake: the client's from now on.
  // Of an allowed handshake: channels and data (whole JSON texts) of messages that wait for the client from its beginning. With
  // `bayeux.deliver_in_handshake` they come with the handshake's answer.
  std::vector<std::pair<std::string, std::string>> messages;
};

enum class BayeuxOperation : std::uint8_t { kCreate, kSubscribe, kPublish };
enum class BayeuxOpinion : std::uint8_t { kIgnore, kGrant, kDeny };

struct BayeuxQuestion {
  const BayeuxClient& client;
  BayeuxOperation operation;
  std::string_view channel;  // A wildcard too, of a subscription.
};

struct BayeuxAnswer {
  BayeuxOpinion opinion = BayeuxOpinion::kIgnore;
  std::string reason;  // Of a deny: the client is told "403:<reason>:subscribe_denied".
};

// Has a say on the channels that its pattern fits ("/a/b", "/a/*", "/a/**"), and on wildcards: on those that it is equal to or
// that lie within it. Where somebody has a say, one must grant and none deny.
struct BayeuxAuthorizer {
  std::string pattern;
  std::function<BayeuxAnswer(const BayeuxQuestion&)> judge;
};

// A message to a service channel. May be kept and answered later, on any thread; what is not answered gets no delivery.
class BayeuxCall {
 public:
  struct Parts {
    BayeuxClientPtr client;
    std::string channel;
    std::string id;  // JSON text; empty: none. The reply has the same.
    std::string data;
    std::vector<std::pair<std::string, std::string>> parameters;
    std::function<void(std::string data, bool successful)> answer;  // Thread-safe.
  };
  explicit BayeuxCall(Parts parts) : parts_(std::make_shared<Parts>(std::move(parts))) {}

  const BayeuxClientPtr& client() const { return parts_->client; }
  const std::string& channel() const { return parts_->channel; }
  const std::string& data() const { return parts_->data; }
  // What stands in the place of `{name}` in the service's pattern; empty when it has no such part.
  std::string_view parameter(std::string_view name) const {
    for (const auto& [known, value] : parts_->parameters) {
      if (known == name) return value;
    }
    return {};
  }

  // A delivery on the same channel, with the same id, to this client alone. `data` is one whole JSON text. As often as wanted.
  void reply(std::string data) const { parts_->answer(std::move(data), true); }
  void fail(std::string data) const { parts_->answer(std::move(data), false); }

 private:
  std::shared_ptr<Parts> parts_;
};

// Takes what is published to the service channels that its pattern fits: "/service/echo", "/service/room/{name}",
// "/service/files/**". The first that fits takes it.
struct BayeuxService {
  std::string pattern;
  std::function<void(BayeuxCall)> handle;
};

// A message of a session as it came, before anything is done with it. JSON texts; empty: it has none.
struct BayeuxIncoming {
  const BayeuxClient& client;
  std::string_view channel;  // Meta channels and service channels too.
  std::string_view id;
  std::string_view data;
  std::string_view ext;
};

struct BayeuxHooks {
  std::function<BayeuxVerdict(const BayeuxHandshake&)> may_handshake;  // Empty: everybody.
  // Whether the message is taken. If not it is deleted, and its client is told "404::message_deleted". Not asked of handshakes,
  // nor of messages that are refused anyway for how they are written. Empty: all are taken.
  std::function<bool(const BayeuxIncoming&)> may_pass;
  std::function<BayeuxVerdict(const BayeuxQuestion&)> policy;  // Empty: the configuration alone decides.
  std::vector<BayeuxAuthorizer> authorizers;                   // Beside those of the configuration.
  std::vector<BayeuxService> services;
};

// --- Hearing

namespace bayeux_event {

struct SessionAdded {
  BayeuxClientPtr client;
};
struct Subscribe {
  BayeuxClientPtr client;
  std::vector<std::string> channels;
};
struct Unsubscribe {
  BayeuxClientPtr client;
  std::vector<std::string> channels;
};
enum class RemovalReason : std::uint8_t {
  kDisconnected,  // The client said so.
  kExpired,       // No connect came within the max interval.
  kRemoved,       // By this program or an operator.
  kSlow,          // More waited for it than may, and it has asked for acknowledged delivery.
  kIdle,          // The activity extension's time is over.
  kTokenExpired,  // What showed who it is holds no more.
  kShutdown,
};
struct SessionRemoved {
  BayeuxClientPtr client;
  RemovalReason reason;
};
// More waited for the client than may (limits.outbox_bytes), and the oldest is lost to it; it is told by `ext.lost`. Comes once
// for a loss, when there is room again. A client of acknowledged delivery is removed instead (kSlow).
struct QueueLimit {
  BayeuxClientPtr client;
  std::string channel;     // Empty: of so many channels that they are not told apart.
  std::uint64_t lost = 0;  // 0: nobody knows how many.
};
// What this program has put into the stream.
struct Custom {
  std::any value;
};

}  // namespace bayeux_event

using BayeuxEvent = std::variant<bayeux_event::SessionAdded, bayeux_event::Subscribe, bayeux_event::Unsubscribe,
                                 bayeux_event::SessionRemoved, bayeux_event::QueueLimit, bayeux_event::Custom>;

// "disconnected", "expired", "removed", "slow", "idle", "token_expired", "shutdown".
std::string_view bayeux_removal_text(bayeux_event::RemovalReason reason);

// What happens, in a bounded stream: when it is full the oldest goes and is counted; clients never wait for it. A copy is a
// second listener, from where the first stands. One thread at a time.
class BayeuxListener {
 public:
  static constexpr std::size_t kDefaultCapacity = 500;

  BayeuxListener(const BayeuxListener&);
  BayeuxListener& operator=(const BayeuxListener&);
  BayeuxListener(BayeuxListener&&) noexcept;
  BayeuxListener& operator=(BayeuxListener&&) noexcept;
  ~BayeuxListener();

  // The next event. Nothing: none came in time, or the server is gone and all was taken.
  std::optional<BayeuxEvent> next(std::chrono::milliseconds wait);
  // Events lost since the last call because this listener was slow.
  std::uint64_t take_lost();
  bool closed() const;

 private:
  friend class Bayeux;
  class Parts;
  explicit BayeuxListener(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Any thread. Lives as long as its server; after the server's stop() everything is refused.
//
// `send` and `remove` wait for the thread on which the session lives. The server's own threads, so all hooks, must not wait for
// one another: there they only ask, the answer is as if the session were there, and it happens once the hook has returned.
class Bayeux {
 public:
  ~Bayeux();
  Bayeux(const Bayeux&) = delete;
  Bayeux& operator=(const Bayeux&) = delete;

  // To everybody who hears the channel, on any protocol. The channels' rules on who may publish do not apply. Errors: kInvalid
  // (the channel is none, a wildcard, meta or service; data is no JSON), kTooLarge, kLimit, kUnavailable.
  Result<EmitReceipt> publish(std::string_view channel, std::string_view data);
  // To one client, whatever it is subscribed to, on a channel of any name but meta's. With `lazy` it waits for something else
  // to be sent, or for `bayeux.lazy_time`. Errors: kNotFound (no such session), kInvalid (channel or data), kTooLarge
  // (limits.message_bytes), kUnavailable.
  Result<void> send(std::string_view client_id, std::string_view channel, std::string_view data, bool lazy = false);
  // Ends a session: its client is told with a /meta/disconnect. False: there is none.
  bool remove(std::string_view client_id);
  // How many sessions there are.
  std::size_t session_count() const;

  BayeuxListener listen(std::size_t capacity = BayeuxListener::kDefaultCapacity);
  // Puts a value into every listener's stream, behind what has happened.
  void emit_custom(std::any value);

 private:
  friend class Server;
  class Parts;
  explicit Bayeux(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace carillon
