#include "os/tcp_listener.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "os/tcp_stream.h"

namespace carillon {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerTurn = 256;  // So that a storm of connections does not starve those that are there.
constexpr Millis kPauseWithoutDescriptors{100};

Result<FileDescriptor> bound_socket(const SocketAddress& address, std::string_view text, bool share_port) {
  const int on = 1;
  FileDescriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  bool made = static_cast<bool>(socket);
  made = made && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
  made = made && (!share_port || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
  // Accepted sockets inherit it.
  made = made && ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
  made = made && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0;
  if (made) return socket;
  const char* const advice =
      errno == EADDRINUSE ? "; is another server running there? Choose another port, or port 0 for a free one" : "";
  return Error{ErrorKind::kUnavailable, fmt::format("cannot listen on {}: {}{}", text, std::strerror(errno), advice)};
}

}  // namespace

Result<ListeningSockets> listen_on(std::string_view text, std::size_t count) {
  Result<SocketAddress> parsed = parse_address(text);
  if (!parsed) return parsed.error();
  SocketAddress address = *parsed;
  {
    // A socket that does not share its port finds out whether anybody else has it, and picks a free one for port 0.
    Result<FileDescriptor> probe = bound_socket(address, text, false);
    if (!probe) return probe.error();
    if (::listen(probe->get(), 1) != 0) {
      return Error{ErrorKind::kUnavailable, fmt::format("cannot listen on {}: {}", text, std::strerror(errno))};
    }
    address.size = sizeof address.storage;
    ::getsockname(probe->get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  }
  ListeningSockets listening;
  for (std::size_t i = 0; i < count; ++i) {
    Result<FileDescriptor> socket = bound_socket(address, text, true);
    if (!socket) return socket.error();
    listening.sockets.push_back(*std::move(socket));
  }
  for (const FileDescriptor& socket : listening.sockets) {
    if (::listen(socket.get(), kBacklog) == 0) continue;
    return Error{ErrorKind::kUnavailable, fmt::format("cannot listen on {}: {}", text, std::strerror(errno))};
  }
  listening.address = describe_address(address.storage);
  return listening;
}

TcpListener::TcpListener(EpollLoop& loop, FileDescriptor socket, StreamAcceptor& acceptor)
    : loop_(loop), socket_(std::move(socket)), acceptor_(acceptor) {}

TcpListener::~TcpListener() = default;

Result<void> TcpListener::start() {
  return loop_.watch(socket_.get(), EPOLLIN, *this);
}

void TcpListener::stop() {
  cancel();
  socket_.close();
}

void TcpListener::on_ready(std::uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn && socket_; ++i) {
    FileDescriptor accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) {
      if (std::unique_ptr<TcpStream> stream = TcpStream::adopt(loop_, std::move(accepted)))
        acceptor_.on_stream(std::move(stream));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      // Asking again at once would spin; whoever waits in the backlog waits a little longer.
      if (shortage_log_.may_write(loop_.now())) {
        log_warning("cannot accept a connection: {}; trying again every {} ms; others_unlogged={}", std::strerror(errno),
                    kPauseWithoutDescriptors.count(), shortage_log_.take_left_out());
      }
      loop_.change(socket_.get(), 0, *this);
      loop_.schedule(*this, kPauseWithoutDescriptors);
      return;
    }
    if (errno == EAGAIN) return;
  }
}

void TcpListener::on_timer() {
  loop_.change(socket_.get(), EPOLLIN, *this);
}

}  // namespace carillon
