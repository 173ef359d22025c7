// BayeuxTalk: what one Bayeux client of a load says and how it understands the answers. No socket, no clock.
//
// 1. A handshake. 2. A first connect, which asks to be answered at once. 3. A subscribe. 4. From then on connects that the
// server holds: by WebSocket the next one when one is answered, by long-polling the next one at once whatever came. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/load/answer_scanner.h"

namespace carillon {

enum class BayeuxCarrier : std::uint8_t {
  kWebSocket,
  kLongPolling,
  kFloorPolling,  // bench/floor.cc knows no Bayeux: the same connects, byte for byte as long, from the beginning on.
};

// What the clients of one load have in common; outlives them.
struct BayeuxPlace {
  BayeuxCarrier carrier = BayeuxCarrier::kWebSocket;
  std::string authority;  // What the Host field says.
  std::string path;       // Where the server has Bayeux: "/cometd".

  bool polls() const { return carrier != BayeuxCarrier::kWebSocket; }
};

class BayeuxTalk {
 public:
  // What is to be done now.
  struct Turn {
    std::string_view say = {};    // A WebSocket message, or a whole HTTP request; empty: nothing. Valid until the next call.
    bool subscribed = false;      // From now on this client hears its channel. Once.
    std::string_view fault = {};  // Not empty: the server refused something, in these words of the text that came.
  };

  // Subscribes to that channel, named as the native protocol does.
  explicit BayeuxTalk(std::string_view channel);

  // When the client is connected.
  Turn begin(const BayeuxPlace& place);
  // A WebSocket message has come.
  Turn on_messages(const BayeuxPlace& place, std::string_view text);
  // An answer has come.
  Turn on_answer(const BayeuxPlace& place, const ScannedAnswer& answer);

  // Every answer is now one to a connect that was held.
  bool listening() const { return state_ == State::kListening; }

 private:
  enum class State : std::uint8_t { kHandshaking, kConnecting, kSubscribing, kListening };

  Turn go_on(const BayeuxPlace& place, std::string_view text);
  void compose(const BayeuxPlace& place, std::string_view type, std::string_view messages);
  void compose_connect(const BayeuxPlace& place, std::string_view advice);

  State state_ = State::kHandshaking;
  std::string channel_;
  std::string client_id_;
  std::string cookie_;  // As the server set it: `BAYEUX_BROWSER=…`.
  std::string say_;     // What was said last; a held connect is said again as it stands.
};

// `bench:00001` as Bayeux has it: `/bench/00001`.
std::string bayeux_channel_name(std::string_view channel);

}  // namespace carillon
