// NodeForward: lets a request that belongs to a session of another node be answered by that node, wherever it arrived.
//
// 1. A node's number stands in the ids and tokens that it makes. 2. A request that names another node's is sent there as it
// came, with a mark (kForwardedMark), and what comes back is the answer. 3. A marked request is never sent on: it is answered
// by who lives here, or, where nobody does, by not_here(), and then the node where it arrived answers it after all, as one of a
// session that nobody knows. So only there is anybody let in, seen as it is, and the mark gives nothing to who sends it from
// outside.
//
// One per loop, used there only.
#pragma once

#include <cstdint>

#include "protocol/exchange.h"

namespace carillon {

// The address of the client, for who looks at what nodes say to each other. That it is there is all that matters here.
inline constexpr std::string_view kForwardedMark = "X-Carillon-Forwarded";

inline bool was_forwarded(const HttpRequest& request) {
  return request.headers.has(kForwardedMark);
}

// The answer to a marked request of whose session this node does not know either.
inline constexpr int kNotHereStatus = 421;  // RFC 9110 section 15.5.20.
inline HttpResponse not_here() {
  return HttpResponse::error(kNotHereStatus, "not_here", "this node knows no such session");
}

class NodeForward {
 public:
  enum class Unanswered {
    kNotThere,  // There is no such node, it cannot be reached, broke off, or knows no such session: it is for us to answer.
    kDraining,  // Here the server stops; there the session goes on.
  };
  // With the exchange, which is to be answered now.
  using Back = UniqueFunction<void(ExchangePtr, Unanswered)>;

  virtual ~NodeForward() = default;

  // Of this node, to be written into what clients send back. 0: it has none yet.
  virtual std::uint16_t number() = 0;
  // Whether this request, which names that node, is to be forwarded. Not: to no node (0), to this one, what was forwarded here.
  virtual bool is_elsewhere(std::uint16_t node, const HttpRequest& request) = 0;
  // Answers as that node does, or gives the exchange back; neither when its client goes first, and then that node sees it go.
  // `back` may be called inside the call.
  virtual void forward(std::uint16_t node, ExchangePtr exchange, Back back) = 0;
};

// Where there is one node: null.
inline std::uint16_t number_of(NodeForward* nodes) {
  return nodes == nullptr ? std::uint16_t{0} : nodes->number();
}
inline bool is_elsewhere(NodeForward* nodes, std::uint16_t node, const HttpRequest& request) {
  return nodes != nullptr && nodes->is_elsewhere(node, request);
}

}  // namespace carillon
