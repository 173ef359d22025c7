// Subscriber: hears channels of a server over its native WebSocket, and comes back by itself. One thread; run() blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "client/client_url.h"
#include "client/subscriber_talk.h"
#include "client/websocket_client.h"

namespace carillon {

// How long to wait before the next attempt: twice as long after each failure, from `first` to `longest`, of which a random
// half is taken off, so that many clients do not come back at once.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : first_(first), longest_(longest), next_(first) {}

  // `random` is any number.
  std::chrono::milliseconds next(std::uint32_t random);
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
};

struct SubscriberOptions {
  SubscriberStart start;
  std::string path = "/ws";
  std::string bearer;   // The API key, or a token; empty: none is sent.
  bool dotted = false;  // Event kinds as `pr.opened` rather than `pr_opened`.
  bool reconnect = true;
  std::chrono::milliseconds backoff_first = std::chrono::milliseconds(500);
  std::chrono::milliseconds backoff_longest = std::chrono::seconds(15);
  // After this long without a sign of life the server is pinged; after as long again the connection counts as lost.
  std::chrono::milliseconds silence_time = std::chrono::seconds(45);
};

class SubscriberListener {
 public:
  virtual ~SubscriberListener() = default;
  // One event, a line of JSON without its end. False: enough, run() returns.
  virtual bool on_event(std::string_view line) = 0;
  // Who is there, came and went: lines of JSON, each with its end. False: enough.
  virtual bool on_presence(std::string_view /*lines*/) { return true; }
  // For the person in front of it: what was lost, that the connection is being made anew.
  virtual void on_notice(std::string_view text) = 0;
};

class Subscriber {
 public:
  Subscriber(ClientUrl url, SubscriberOptions options, SubscriberListener& listener);

  // Until the listener has enough. An error when the first connection cannot be made, when a subscription is refused, when the
  // server wants an identity, and, without reconnect, when the connection is lost.
  Result<void> run();

 private:
  enum class End : std::uint8_t { kEnough, kRefused, kLost };
  struct Talked {
    End end;
    std::string text;
  };
  Talked talk(WebSocketClient& socket);
  bool tell(const SubscriberTalk::Outcome& outcome);

  ClientUrl url_;
  SubscriberOptions options_;
  SubscriberListener& listener_;
  SubscriberTalk talk_;
  Backoff backoff_;
};

}  // namespace carillon
