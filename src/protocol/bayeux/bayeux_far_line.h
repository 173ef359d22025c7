// Far lines: what a WebSocket or event stream on one loop is to a session on another. The session speaks to a BayeuxFarLine on
// its own loop, which posts to the socket's loop; what the client sends comes back the same way, in its order.
//
// Clients that shake hands by HTTP and then open a WebSocket (faye does) often end so; those that shake hands on the WebSocket
// never do. On the session's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/loop.h"
#include "protocol/bayeux/bayeux_line.h"

namespace carillon {

class BayeuxSessions;

// Names a socket in the whole process.
struct BayeuxSocketName {
  std::size_t place = 0;
  std::uint64_t number = 0;
  friend bool operator==(const BayeuxSocketName&, const BayeuxSocketName&) = default;
  friend std::size_t hash_value(const BayeuxSocketName& name) { return name.number * 64 + name.place; }
};

class BayeuxFarLine final : public BayeuxLine, public Disposable {
 public:
  BayeuxFarLine(BayeuxSessions& owner, BayeuxSocketName socket, BayeuxTransport transport)
      : owner_(owner), socket_(socket), transport_(transport) {}
  ~BayeuxFarLine() override;

  BayeuxTransport transport() const override { return transport_; }
  bool has_room() const override { return under_way_ < kUnderWayMax; }
  void send(const FramePtr& messages) override;
  void send_array(std::string_view array) override;
  void flush() override;
  void close(std::uint16_t code, std::string_view reason) override;

  // So many bytes have left the socket's outbox.
  void on_left(std::size_t bytes);
  BayeuxSocketName socket() const { return socket_; }

 private:
  // Posted, and not known to have left: more waits in the session, where it is bounded.
  static constexpr std::size_t kUnderWayMax = 256 << 10;

  BayeuxSessions& owner_;
  const BayeuxSocketName socket_;
  const BayeuxTransport transport_;
  std::vector<std::string> arrays_;
  std::size_t under_way_ = 0;
};

class BayeuxFarLines {
 public:
  explicit BayeuxFarLines(BayeuxSessions& owner) : owner_(owner) {}

  // The line to that socket, made when it is not there.
  BayeuxFarLine& line(BayeuxSocketName socket, BayeuxTransport transport);
  BayeuxFarLine* find(BayeuxSocketName socket);
  // The socket is gone, or is to have no line any more.
  void forget(BayeuxSocketName socket);

 private:
  BayeuxSessions& owner_;
  boost::unordered_flat_map<BayeuxSocketName, std::unique_ptr<BayeuxFarLine>> lines_;
};

}  // namespace carillon
