// TcpStream: a connected TCP socket on an EpollLoop. No buffers of its own: reads go through the loop's, and what a write
// could not take stays with the writer. An idle one costs this object and the kernel's.
#pragma once

#include "base/stream.h"
#include "os/epoll_loop.h"

namespace carillon {

class TcpStream final : public Stream, public Pollable {
 public:
  // Null when the loop cannot watch the socket.
  static std::unique_ptr<TcpStream> adopt(EpollLoop& loop, FileDescriptor socket);

  ~TcpStream() override { close(); }

  void set_handler(StreamHandler& handler) override { handler_ = &handler; }
  std::size_t write(std::span<const std::string_view> pieces) override;
  void pause_reading() override;
  void resume_reading() override;
  void shutdown_write() override;
  void close() override;
  PeerAddress peer() const override;

  void on_ready(std::uint32_t epoll_events) override;

 private:
  TcpStream(EpollLoop& loop, FileDescriptor socket) : loop_(loop), socket_(std::move(socket)) {}

  void read();
  void update_interest();

  EpollLoop& loop_;
  StreamHandler* handler_ = nullptr;
  FileDescriptor socket_;
  bool paused_ = false;
  bool ended_ = false;        // The peer sends nothing more.
  bool wants_write_ = false;  // A write was short.
};

}  // namespace carillon
