#include "page_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

namespace insights {
namespace {

using carillon::Error;
using carillon::ErrorKind;
using carillon::Result;

constexpr int kThreads = 8;
constexpr int kPatienceMs = 5000;  // For the whole of a request, and for a client that takes no bytes.
constexpr std::size_t kRequestBytesMax = 64 * 1024;

std::optional<std::size_t> number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Of the lines behind the request line; empty: it is not there.
std::string_view header(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const bool found = line.size() > name.size() && line[name.size()] == ':' &&
                       std::ranges::equal(line.substr(0, name.size()), name,
                                          [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
    if (found) {
      const std::string_view value = line.substr(name.size() + 1);
      return value.substr(std::min(value.find_first_not_of(' '), value.size()));
    }
    head.remove_prefix(std::min(line.size() + 2, head.size()));
  }
  return {};
}

// How many bytes the request has; nothing: its head is not there yet.
std::optional<std::size_t> length_of(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return end + 4 + number_of(header(bytes.substr(0, end), "content-length")).value_or(0);
}

PageRequest parse(std::string_view bytes) {
  PageRequest request;
  const std::size_t end = bytes.find("\r\n\r\n");
  const std::string_view head = bytes.substr(0, end);
  request.body = bytes.substr(end + 4);
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const std::size_t blank = std::min(line.find(' '), line.size());
  request.method = line.substr(0, blank);
  const std::string_view target = line.substr(std::min(blank + 1, line.size()));
  request.path = target.substr(0, target.find_first_of(" ?"));
  const std::string_view shown = header(head, "authorization");
  if (shown.starts_with("Bearer ")) request.token = shown.substr(7);
  return request;
}

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    default: return "Internal Server Error";
  }
}

std::string format(const PageResponse& response) {
  return "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason(response.status)) +
         "\r\nContent-Type: " + response.type + "\r\nContent-Length: " + std::to_string(response.body.size()) +
         "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n" + response.body;
}

Error system_error(ErrorKind kind, const std::string& what) {
  return {kind, what + ": " + std::strerror(errno)};
}

}  // namespace

PageServer::Descriptor::~Descriptor() {
  if (number >= 0) ::close(number);
}

PageServer::PageServer(PageHandler handler)
    : handler_(std::move(handler)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Result<std::unique_ptr<PageServer>> PageServer::start(const std::string& address, PageHandler handler) {
  std::unique_ptr<PageServer> server(new PageServer(std::move(handler)));
  if (auto listening = server->listen(address); !listening) return listening.error();
  for (int n = 0; n < kThreads; ++n) server->threads_.emplace_back([&serving = *server] { serving.serve(); });
  return server;
}

PageServer::~PageServer() {
  const std::uint64_t stop = 1;
  if (::write(stop_.number, &stop, sizeof stop) < 0) std::terminate();  // An eventfd takes its first number.
  for (std::thread& thread : threads_) thread.join();
}

Result<void> PageServer::listen(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::optional<std::size_t> port =
      colon == std::string::npos ? std::nullopt : number_of(std::string_view(address).substr(colon + 1));
  sockaddr_in place{};
  place.sin_family = AF_INET;
  if (!port || *port > 65535 || ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &place.sin_addr) != 1) {
    return Error{ErrorKind::kInvalid, "the address of the page is an IPv4 address and a port, not `" + address + "`"};
  }
  place.sin_port = htons(static_cast<std::uint16_t>(*port));
  const int reuse = 1;
  ::setsockopt(listener_.number, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  socklen_t size = sizeof place;
  auto* const bound = reinterpret_cast<sockaddr*>(&place);
  if (::bind(listener_.number, bound, size) != 0 || ::listen(listener_.number, 128) != 0 ||
      ::getsockname(listener_.number, bound, &size) != 0) {
    return system_error(ErrorKind::kUnavailable, "cannot listen on " + address);
  }
  address_ = address.substr(0, colon) + ":" + std::to_string(ntohs(place.sin_port));
  return {};
}

bool PageServer::wait_for(int descriptor, short events, int milliseconds) const {
  std::array<pollfd, 2> watched{pollfd{descriptor, events, 0}, pollfd{stop_.number, POLLIN, 0}};
  return ::poll(watched.data(), watched.size(), milliseconds) > 0 && watched[1].revents == 0;
}

void PageServer::serve() {
  constexpr int kForEver = -1;
  while (wait_for(listener_.number, POLLIN, kForEver)) {
    const Descriptor connection(::accept4(listener_.number, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection.number >= 0) answer(connection.number);  // Else another thread has it.
  }
}

std::string PageServer::read_request(int connection) const {
  std::string bytes;
  std::array<char, 4096> part;
  while (wait_for(connection, POLLIN, kPatienceMs)) {
    const ssize_t count = ::recv(connection, part.data(), part.size(), 0);
    if (count <= 0) return {};
    bytes.append(part.data(), static_cast<std::size_t>(count));
    const std::optional<std::size_t> length = length_of(bytes);
    if (length && bytes.size() >= *length) return bytes.substr(0, *length);
    if (bytes.size() > kRequestBytesMax) return {};
  }
  return {};
}

void PageServer::answer(int connection) const {
  const std::string bytes = read_request(connection);
  if (bytes.empty()) return;
  const std::string response = format(handler_(parse(bytes)));
  for (std::string_view rest = response; !rest.empty();) {
    const ssize_t count = ::send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EAGAIN || !wait_for(connection, POLLOUT, kPatienceMs)) {
      return;
    }
  }
}

}  // namespace insights
