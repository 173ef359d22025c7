// TcpListener: accepts TCP connections for one loop. Several loops listen on one port with SO_REUSEPORT, and the kernel
// spreads connections over them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_limit.h"
#include "os/epoll_loop.h"
#include "os/socket_address.h"

namespace carillon {

// When the process or the system has no descriptor or memory left, connections wait in the kernel and are asked for again a
// tenth of a second later; a log line in ten seconds says so.
class TcpListener final : public Pollable, private Timer {
 public:
  TcpListener(EpollLoop& loop, FileDescriptor socket, StreamAcceptor& acceptor);
  ~TcpListener() override;

  // Begins to accept; on the loop's thread or before it runs.
  Result<void> start();
  // Accepts no more. Idempotent.
  void stop();

 private:
  void on_ready(std::uint32_t epoll_events) override;
  void on_timer() override;

  EpollLoop& loop_;
  FileDescriptor socket_;
  StreamAcceptor& acceptor_;
  LogLimit shortage_log_{Millis{10'000}};
};

struct ListeningSockets {
  std::vector<FileDescriptor> sockets;
  PeerAddress address;  // Where they listen: the port that was picked for port 0.
};

// `count` sockets that listen on one address. Refuses a port that anybody listens on already, also with SO_REUSEPORT.
Result<ListeningSockets> listen_on(std::string_view address, std::size_t count);

}  // namespace carillon
