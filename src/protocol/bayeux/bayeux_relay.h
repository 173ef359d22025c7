// BayeuxRelay: what comes through a WebSocket for a session of another node, as requests to that node
// (protocol/node_forward.h), and what it answers, as messages to the client. To the session this is a client that polls.
//
// 1. A connect that comes alone goes at once, and is held there; beside two that are not answered yet only the newest waits. 2.
// Everything else goes by one request at a time, as it came; what comes meanwhile waits, and is the next. So all but connects
// keeps its order, as over the second connection of a client that polls. 3. What that node cannot answer is answered here, as
// of a session that nobody knows. On the socket's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.h"
#include "carillon/result.h"
#include "protocol/bayeux/bayeux_line.h"
#include "wire/http/http_message.h"

namespace carillon {

class BayeuxSessions;

class BayeuxRelay {
 public:
  struct Client {
    PeerAddress peer;
    std::string cookie;  // Of its browser; empty: it has shown none.
  };
  // To this node, for the client at the end of the line. There is a NodeForward.
  BayeuxRelay(BayeuxSessions& owner, BayeuxLine& line, std::uint16_t node, Client client);
  ~BayeuxRelay() { end(); }
  BayeuxRelay(const BayeuxRelay&) = delete;
  BayeuxRelay& operator=(const BayeuxRelay&) = delete;

  std::uint16_t node() const { return node_; }
  // One whole text message. Error: the line must close with this reason.
  Result<void> take(std::string_view text);
  // Nobody waits for answers any more: the other node sees its client go.
  void end();

 private:
  class Asked;
  struct Waiting {
    std::string text;
    std::size_t messages = 0;
  };

  void send_next();
  void send_connect();
  void forward(std::string text, bool connect);
  HttpRequest request_of(std::string text) const;
  void on_answer(const HttpResponse& answer, bool connect);
  void on_not_there(const std::string& text, bool connect);
  void on_done(bool connect);

  BayeuxSessions& owner_;
  BayeuxLine& line_;
  const std::uint16_t node_;
  const Client client_;
  std::vector<Asked*> asked_;    // Under way; another owns them.
  std::deque<Waiting> waiting_;  // All but connects.
  std::size_t waiting_bytes_ = 0;
  bool busy_ = false;            // One that is no connect is under way.
  std::size_t connects_ = 0;     // Under way.
  std::string waiting_connect_;  // Empty: none.
};

}  // namespace carillon
