#include "client/load/socket_crowd.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "client/load/masked_frame.h"

namespace carillon {
namespace {

constexpr std::size_t kBufferSize = 512 << 10;
constexpr std::size_t kAnswerMax = 16 << 10;  // A longer answer to the upgrade is refused.
constexpr int kEventsMax = 1024;
// An address has some 28 000 ports; the kernel tries those of one parity first, and searches ever longer once they are taken.
constexpr std::uint32_t kMembersPerAddress = 10000;
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";         // RFC 6455, section 1.3, with the answer
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";  // it must get.

std::string system_error(std::string_view what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

bool is_loopback(const sockaddr_in& address) {
  return ntohl(address.sin_addr.s_addr) >> 24 == 127;
}

// 127.0.0.2, 127.0.0.3 and so on: never the server's own 127.0.0.1.
sockaddr_in source_address(std::uint32_t member) {
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(0x7f000002u + member / kMembersPerAddress);
  return source;
}

}  // namespace

Result<CrowdTarget> resolve_target(std::string_view url) {
  constexpr std::string_view kScheme = "ws://";
  const std::string text(url);
  if (!url.starts_with(kScheme)) return Error{ErrorKind::kInvalid, fmt::format("'{}' is not a ws:// address", text)};
  url.remove_prefix(kScheme.size());
  const std::string_view authority = url.substr(0, url.find('/'));
  const std::string_view path = url.substr(authority.size());
  const std::size_t colon = authority.rfind(':');
  const std::string host(authority.substr(0, colon));
  unsigned port = 80;
  if (colon != std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535) {
      return Error{ErrorKind::kInvalid, fmt::format("'{}' has no port from 1 to 65535", text)};
    }
  }
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (host.empty() || getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) {
    return Error{ErrorKind::kInvalid, fmt::format("'{}' names no host with an IPv4 address", text)};
  }
  CrowdTarget target{.address = {}, .authority = std::string(authority), .path = std::string(path.empty() ? "/" : path)};
  std::memcpy(&target.address, found->ai_addr, sizeof target.address);
  target.address.sin_port = htons(static_cast<std::uint16_t>(port));
  freeaddrinfo(found);
  return target;
}

std::uint64_t allow_many_sockets() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

Result<std::unique_ptr<SocketCrowd>> SocketCrowd::make(CrowdHandler& handler, Options options) {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return Error{ErrorKind::kInternal, system_error("epoll_create1")};
  return std::unique_ptr<SocketCrowd>(new SocketCrowd(handler, std::move(options), epoll_fd));
}

SocketCrowd::SocketCrowd(CrowdHandler& handler, Options options, int epoll_fd)
    : handler_(handler), options_(std::move(options)), epoll_fd_(epoll_fd), buffer_(kBufferSize), now_ns_(clock_ns()) {}

SocketCrowd::~SocketCrowd() {
  for (Member& member : members_) close(member);
  ::close(epoll_fd_);
}

std::uint64_t SocketCrowd::clock_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint32_t SocketCrowd::add(std::string path) {
  const auto member = static_cast<std::uint32_t>(members_.size());
  Member& added = members_.emplace_back();
  added.frames = FrameScanner(options_.frame_head_max);
  added.request = std::make_unique<std::string>(std::move(path));
  waiting_.push_back(member);
  return member;
}

std::uint32_t SocketCrowd::add_plain() {
  const auto member = static_cast<std::uint32_t>(members_.size());
  members_.emplace_back().plain = true;
  waiting_.push_back(member);
  return member;
}

int SocketCrowd::poll(std::uint64_t wait_ns) {
  start_waiting();
  std::array<epoll_event, kEventsMax> events;
  const timespec wait{.tv_sec = static_cast<time_t>(wait_ns / 1'000'000'000u),
                      .tv_nsec = static_cast<long>(wait_ns % 1'000'000'000u)};
  const int ready = epoll_pwait2(epoll_fd_, events.data(), kEventsMax, &wait, nullptr);
  const std::uint64_t before = now_ns_;
  now_ns_ = clock_ns();
  if (ready <= 0) idle_ns_ += now_ns_ - before;
  for (int i = 0; i < ready; ++i)
    on_event(events[static_cast<std::size_t>(i)].data.u32, events[static_cast<std::size_t>(i)].events);
  return std::max(ready, 0);
}

void SocketCrowd::send(std::uint32_t index, std::string_view frames) {
  Member& member = members_[index];
  if (member.state != State::kOpen && member.state != State::kUpgrading) return;
  if (member.unsent != nullptr) {
    member.unsent->append(frames);
    return;
  }
  const ssize_t taken = ::send(member.fd, frames.data(), frames.size(), MSG_NOSIGNAL);
  if (taken < 0 && errno != EAGAIN) return;  // The read side learns that it is over.
  frames.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(taken, 0)));
  if (frames.empty()) return;
  member.unsent = std::make_unique<std::string>(frames);
  watch(index, true);
}

void SocketCrowd::drop(std::uint32_t index) {
  Member& member = members_[index];
  if (member.state == State::kConnecting || member.state == State::kUpgrading) --connecting_;
  close(member);
  member = {};
  member.state = State::kGone;
}

void SocketCrowd::start_waiting() {
  while (next_waiting_ < waiting_.size() && connecting_ < options_.connecting_max) {
    const std::uint32_t member = waiting_[next_waiting_++];
    if (members_[member].state != State::kWaiting) continue;
    if (const auto started = start(member); !started) lose(member, started.error().text);
  }
}

Result<void> SocketCrowd::start(std::uint32_t index) {
  Member& member = members_[index];
  member.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (member.fd < 0) return Error{ErrorKind::kLimit, system_error("socket")};
  const int on = 1;
  setsockopt(member.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (is_loopback(options_.target.address)) {
    // Without a port of its own yet, so that the kernel may choose one that is free towards this server.
    setsockopt(member.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const sockaddr_in source = source_address(index);
    if (bind(member.fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
      return Error{ErrorKind::kInternal, system_error("bind")};
    }
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&options_.target.address);
  if (connect(member.fd, address, sizeof options_.target.address) != 0 && errno != EINPROGRESS) {
    return Error{ErrorKind::kUnavailable, system_error("connect")};
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u32 = index;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, member.fd, &event) != 0) return Error{ErrorKind::kLimit, system_error("epoll_ctl")};
  member.state = State::kConnecting;
  ++connecting_;
  return {};
}

void SocketCrowd::on_event(std::uint32_t index, std::uint32_t events) {
  if (members_[index].state == State::kConnecting) return on_connected(index);
  if (events & EPOLLOUT) on_writable(index);
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) on_readable(index);
}

void SocketCrowd::on_connected(std::uint32_t index) {
  Member& member = members_[index];
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(member.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return lose(index, fmt::format("connect: {}", std::strerror(error)));
  watch(index, false);
  if (member.plain) return open(index);
  ask_for_upgrade(index);
}

void SocketCrowd::ask_for_upgrade(std::uint32_t index) {
  Member& member = members_[index];
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
      *member.request, options_.target.authority, kKey);
  member.request->clear();
  member.state = State::kUpgrading;
  send(index, request);
}

void SocketCrowd::open(std::uint32_t index) {
  members_[index].state = State::kOpen;
  --connecting_;
  handler_.on_open(index);
}

void SocketCrowd::on_writable(std::uint32_t index) {
  Member& member = members_[index];
  if (member.unsent == nullptr) return;
  const ssize_t taken = ::send(member.fd, member.unsent->data(), member.unsent->size(), MSG_NOSIGNAL);
  if (taken <= 0) return;
  member.unsent->erase(0, static_cast<std::size_t>(taken));
  if (!member.unsent->empty()) return;
  member.unsent.reset();
  watch(index, false);
}

void SocketCrowd::on_readable(std::uint32_t index) {
  while (members_[index].state == State::kUpgrading || members_[index].state == State::kOpen) {
    const ssize_t size = recv(members_[index].fd, buffer_.data(), buffer_.size(), 0);
    if (size == 0) return lose(index, "closed by the server");
    if (size < 0) {
      if (errno != EAGAIN && errno != EINTR) lose(index, system_error("read"));
      return;
    }
    now_ns_ = clock_ns();
    ++reads_;
    on_bytes(index, {buffer_.data(), static_cast<std::size_t>(size)});
    // Edge-triggered: a read that left room has emptied the socket, and what comes later is told anew.
    if (static_cast<std::size_t>(size) < buffer_.size()) return;
  }
}

void SocketCrowd::on_bytes(std::uint32_t index, std::string_view bytes) {
  if (members_[index].state == State::kUpgrading) bytes = on_upgrade_answer(index, bytes);
  if (bytes.empty()) return;
  // The handler may drop the member, but only adds none: so the reference stays good.
  Member& member = members_[index];
  if (member.plain) {
    const bool sound = member.answers.scan(bytes, [&](const ScannedAnswer& answer) {
      if (member.state == State::kOpen) handler_.on_answer(index, answer);
    });
    if (!sound) lose(index, "the server sent what is no HTTP answer of a known length");
    return;
  }
  const bool sound = member.frames.scan(bytes, [&](const ScannedFrame& frame) { on_scanned(index, frame); });
  if (!sound) lose(index, "the server sent what is no WebSocket frame");
}

// Returns what follows the answer's head; nothing as long as the member is not upgraded.
std::string_view SocketCrowd::on_upgrade_answer(std::uint32_t index, std::string_view bytes) {
  std::string& answer = *members_[index].request;
  const std::size_t before = answer.size();
  answer += bytes;
  const std::size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (answer.size() > kAnswerMax) lose(index, "the answer to the upgrade has no end");
    return {};
  }
  if (!answer.starts_with("HTTP/1.1 101 ") || answer.find(kAccept) > end) {
    lose(index, fmt::format("upgrade refused: {}", answer.substr(0, answer.find('\r'))));
    return {};
  }
  members_[index].request.reset();
  open(index);
  return bytes.substr(end + 4 - before);
}

void SocketCrowd::on_scanned(std::uint32_t index, const ScannedFrame& frame) {
  if (members_[index].state != State::kOpen) return;  // Dropped by an earlier frame of the same read.
  switch (frame.opcode) {
    case kPingOpcode: {
      std::string pong;
      append_masked_frame(pong, kPongOpcode, frame.head);
      return send(index, pong);
    }
    case kPongOpcode: return;
    case kCloseOpcode:
      return lose(index,
                  fmt::format("closed by the server: {}", frame.head.substr(std::min<std::size_t>(2, frame.head.size()))));
    default: handler_.on_frame(index, frame);
  }
}

void SocketCrowd::watch(std::uint32_t index, bool writable) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  if (writable) event.events |= EPOLLOUT;
  event.data.u32 = index;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, members_[index].fd, &event);
}

void SocketCrowd::lose(std::uint32_t index, std::string_view why) {
  if (members_[index].state == State::kGone) return;
  const std::string reason(why);
  drop(index);
  handler_.on_gone(index, reason);
}

void SocketCrowd::close(Member& member) {
  if (member.fd < 0) return;
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(member.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(member.fd);
  member.fd = -1;
}

}  // namespace carillon
