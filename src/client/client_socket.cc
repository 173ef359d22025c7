#include "client/client_socket.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/check.h"

namespace carillon {
namespace {

Error unavailable(std::string text) {
  return {ErrorKind::kUnavailable, std::move(text)};
}

// Waits until the descriptor is ready. False: the time is over.
bool wait_ready(int descriptor, short events, std::chrono::milliseconds time_max) {
  const auto deadline = std::chrono::steady_clock::now() + time_max;
  pollfd wanted{descriptor, events, 0};
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// Connects to one address; 0 or why not.
int connect_error(int descriptor, const addrinfo& address, std::chrono::milliseconds time_max) {
  if (::connect(descriptor, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_ready(descriptor, POLLOUT, time_max)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

}  // namespace

Result<ClientSocket> ClientSocket::connect(const std::string& host, std::uint16_t port, std::chrono::milliseconds time_max) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int looked_up = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (looked_up != 0) return unavailable(fmt::format("cannot find host {}: {}", host, gai_strerror(looked_up)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);

  int error = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    ClientSocket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol));
    error = socket.descriptor_ < 0 ? errno : connect_error(socket.descriptor_, *address, time_max);
    if (error != 0) continue;
    const int yes = 1;
    setsockopt(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return socket;
  }
  return unavailable(fmt::format("cannot connect to {} port {}: {}", host, port, std::strerror(error)));
}

ClientSocket::ClientSocket(ClientSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

ClientSocket& ClientSocket::operator=(ClientSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

ClientSocket::~ClientSocket() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<void> ClientSocket::write(std::string_view bytes, std::chrono::milliseconds time_max) {
  while (!bytes.empty()) {
    const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait_ready(descriptor_, POLLOUT, time_max)) return unavailable("the server takes no more bytes");
    } else if (errno != EINTR) {
      return unavailable(fmt::format("the connection was lost: {}", std::strerror(errno)));
    }
  }
  return {};
}

Result<bool> ClientSocket::wait(int other_descriptor, std::chrono::milliseconds time_max) {
  pollfd wanted[2] = {{descriptor_, POLLIN, 0}, {other_descriptor, POLLIN, 0}};  // A negative one is left aside.
  const int ready = poll(wanted, 2, static_cast<int>(time_max.count()));
  if (ready < 0 && errno != EINTR) return unavailable(std::string("cannot wait: ") + std::strerror(errno));
  return ready > 0 && (wanted[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
}

Result<ClientSocket::Read> ClientSocket::read(std::span<char> into, std::chrono::milliseconds time_max) {
  while (true) {
    const ssize_t count = recv(descriptor_, into.data(), into.size(), 0);
    if (count > 0) return Read{.count = static_cast<std::size_t>(count)};
    if (count == 0) return Read{.ended = true};
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait_ready(descriptor_, POLLIN, time_max)) return Read{.timed_out = true};
    } else if (errno != EINTR) {
      return unavailable(fmt::format("the connection was lost: {}", std::strerror(errno)));
    }
  }
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  // Up to 256 bytes come whole (getrandom(2)).
  CHECK(count <= 256 && getrandom(bytes.data(), count, 0) == static_cast<ssize_t>(count));
  return bytes;
}

std::uint32_t random_u32() {
  std::uint32_t value = 0;
  std::memcpy(&value, random_bytes(sizeof value).data(), sizeof value);
  return value;
}

std::uint64_t random_u64() {
  return std::uint64_t{random_u32()} << 32 | random_u32();
}

}  // namespace carillon
