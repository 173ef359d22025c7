#include "os/tcp_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "os/socket_address.h"

namespace carillon {
namespace {

constexpr std::size_t kPiecesPerCall = 256;

}  // namespace

std::unique_ptr<TcpStream> TcpStream::adopt(EpollLoop& loop, FileDescriptor socket) {
  const int fd = socket.get();
  std::unique_ptr<TcpStream> stream(new TcpStream(loop, std::move(socket)));
  if (!loop.watch(fd, EPOLLIN, *stream)) {
    stream->socket_.close();
    return nullptr;
  }
  return stream;
}

std::size_t TcpStream::write(std::span<const std::string_view> pieces) {
  std::size_t taken = 0;
  while (!pieces.empty() && socket_ && !wants_write_) {
    ssize_t sent;
    std::size_t offered = 0;
    if (pieces.size() == 1) {
      offered = pieces.front().size();
      sent = ::send(socket_.get(), pieces.front().data(), offered, MSG_NOSIGNAL);
      pieces = {};
    } else {
      std::array<iovec, kPiecesPerCall> vectors;
      const std::size_t count = std::min(pieces.size(), kPiecesPerCall);
      for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {.iov_base = const_cast<char*>(pieces[i].data()), .iov_len = pieces[i].size()};
        offered += pieces[i].size();
      }
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = count;
      sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
      pieces = pieces.subspan(count);
    }
    if (sent > 0) taken += static_cast<std::size_t>(sent);
    if (sent == static_cast<ssize_t>(offered)) continue;
    // No room, or a broken connection; of that epoll tells next.
    wants_write_ = true;
    update_interest();
  }
  return taken;
}

void TcpStream::pause_reading() {
  if (std::exchange(paused_, true) || !socket_) return;
  update_interest();
}

void TcpStream::resume_reading() {
  if (!std::exchange(paused_, false) || !socket_) return;
  update_interest();
}

void TcpStream::shutdown_write() {
  if (socket_) ::shutdown(socket_.get(), SHUT_WR);
}

// The loop forgets a socket that is closed here only when no process has it: one that is just being forked may.
void TcpStream::close() {
  if (!socket_) return;
  loop_.forget(socket_.get());
  socket_.close();
}

PeerAddress TcpStream::peer() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (!socket_ || ::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return describe_address(address);
}

void TcpStream::on_ready(std::uint32_t epoll_events) {
  // A handler may close the stream in any call, so each step asks again.
  if (!socket_) return;
  if ((epoll_events & EPOLLERR) != 0 || ((epoll_events & EPOLLHUP) != 0 && (paused_ || ended_))) {
    close();
    return handler_->on_lost();
  }
  if ((epoll_events & (EPOLLIN | EPOLLHUP)) != 0 && !paused_ && !ended_) read();
  if (!socket_ || (epoll_events & EPOLLOUT) == 0) return;
  wants_write_ = false;
  handler_->on_writable();
  if (socket_ && !wants_write_) update_interest();
}

void TcpStream::read() {
  const std::span<char> buffer = loop_.read_buffer();
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) return handler_->on_bytes(buffer.first(static_cast<std::size_t>(got)));
  if (got == 0) {
    ended_ = true;
    update_interest();
    return handler_->on_end();
  }
  if (errno == EAGAIN || errno == EINTR) return;
  close();
  handler_->on_lost();
}

void TcpStream::update_interest() {
  if (!socket_) return;
  const std::uint32_t reading = paused_ || ended_ ? 0u : static_cast<std::uint32_t>(EPOLLIN);
  loop_.change(socket_.get(), reading | (wants_write_ ? static_cast<std::uint32_t>(EPOLLOUT) : 0u), *this);
}

}  // namespace carillon
