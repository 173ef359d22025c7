// PhoenixPolls: Phoenix's long-poll transport on one loop: the sessions that live here, and what is asked of any session.
//
// A session lives on the loop where it was opened; a request that arrives on another is handed over by the place in its token,
// one that arrives on another node is forwarded by the node in it. docs/protocol/phoenix.md says how clients poll.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "protocol/node_forward.h"
#include "protocol/phoenix/phoenix_door.h"
#include "protocol/phoenix/phoenix_poll.h"
#include "protocol/phoenix/phoenix_poll_codec.h"
#include "protocol/siblings.h"

namespace carillon {

class PhoenixPolls;
using PhoenixSiblings = Siblings<PhoenixPolls>;

struct PhoenixPollParts {
  PhoenixShared& shared;
  PhoenixEncodings& encodings;
  PhoenixDoor& door;
  Random& random;
  std::function<bool(const HttpRequest&)> may_use_origin;
  PhoenixSiblings& siblings;
  NodeForward* nodes;  // Null: there is one.
};

struct PhoenixPollLimits {
  Millis window{10'000};
  std::size_t sessions_max = 10'000;  // Of all loops; each has its equal part. Beyond it a new one is refused.
  std::size_t message_bytes_max = 1 << 20;
};

class PhoenixPolls {
 public:
  PhoenixPolls(PhoenixPollParts parts, const PhoenixPollLimits& limits);
  ~PhoenixPolls();

  // Any request on the transport's path.
  void answer(ExchangePtr exchange);

  std::size_t session_count() const { return sessions_.size(); }

 private:
  friend class PhoenixPoll;

  void forward(std::uint16_t node, ExchangePtr exchange, std::string token);
  // On this node: to the loop that the token names.
  void pass(ExchangePtr exchange, std::string token);
  // On that loop, or on the one that the request came to.
  void serve(ExchangePtr exchange, const std::string& token);
  void open(ExchangePtr exchange);
  void send(ExchangePtr exchange, PhoenixPoll* session);
  PhoenixPoll* find(std::string_view token);
  bool has_room();

  // For sessions.
  const Encoding& framed(const Encoding& inner);
  void remove(PhoenixPoll& session);

  PhoenixPollParts parts_;
  const PhoenixPollLimits limits_;
  Loop& loop_;
  const std::size_t place_;
  LogLimit log_;
  DeadlineList deadlines_;
  std::vector<std::unique_ptr<PhoenixPollEncoding>> encodings_;
  boost::unordered_flat_map<std::string, std::unique_ptr<PhoenixPoll>, NameHash, NameEqual> sessions_;
};

}  // namespace carillon
