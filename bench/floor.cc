// The plain floor: the least a server must do to bring one message to N subscribers, by WebSocket or by answering a request
// that waits. What Carillon is measured against.
//
//   bench_floor [--listen 127.0.0.1:0] [--mode each|gather] [--pad N] [--answer N]
//
// A connection upgraded on /sub hears what arrives on /pub; on any other path it hears nothing. `each` sends every message by a
// call of its own; `gather` sends all that one read of the publisher brought by one call a subscriber, as a server does that
// writes at the end of its turn. `--pad N` adds N bytes to each message, so that it is as long as one in Carillon's envelope.
// A connection that sends a request without an upgrade polls: the request waits until something has arrived on /pub that this
// connection has not heard, and its answer is all of that. `--answer N` fills answers up to N bytes, head and body.
// One thread, no parsing, no limits, no manners: the kernel's price and hardly more. Not a server.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Options {
  std::uint16_t port = 0;
  bool gather = false;
  std::size_t pad = 0;
  std::size_t answer = 0;
};

// Frames on their way, shared by all who could not take them at once.
using Block = std::shared_ptr<const std::string>;

struct Unsent {
  struct Piece {
    Block block;
    std::size_t begin;
    std::size_t end;
  };
  std::deque<Piece> pieces;
};

struct Connection {
  enum class Kind : std::uint8_t { kNew, kSubscriber, kPublisher, kBystander, kPoller };
  Kind kind = Kind::kNew;
  std::uint64_t heard = 0;                // A poller: of all that was ever published, how much.
  std::unique_ptr<std::string> received;  // Bytes not yet understood; null when there are none.
  std::unique_ptr<Unsent> unsent;         // Null when the kernel took all.
};

class Floor {
 public:
  explicit Floor(Options options) : options_(options), pad_(options.pad, 'p') {}
  int run();

 private:
  bool listen();
  void accept_all();
  void on_event(int fd, std::uint32_t events);
  void on_bytes(int fd, std::string_view bytes);
  void on_first_request(int fd, std::string_view request);
  void upgrade(int fd, std::string_view request, std::string_view key);
  void on_poll(int fd);
  void answer(int fd);
  const Block& answer_from(std::uint64_t heard);
  void keep(std::string message);
  void fan_out(Connection& publisher);
  void send_to(int fd, const Block& block, std::size_t begin, std::size_t end);
  void on_writable(int fd);
  void watch(int fd, bool writable, int operation);
  void drop(int fd);
  Connection& at(int fd) { return connections_[static_cast<std::size_t>(fd)]; }

  const Options options_;
  const std::string pad_;
  int listener_ = -1;
  int epoll_ = -1;
  std::vector<Connection> connections_;  // By file descriptor.
  std::vector<int> subscribers_;

  bool has_pollers_ = false;
  std::vector<int> polls_;            // Connections with a request that waits.
  std::deque<std::string> messages_;  // The last ones published, for polls that come a little late,
  std::uint64_t published_ = 0;       // and how many there were in all.
  Block answer_;                      // To whoever heard the first `answer_from_` of `answer_to_` messages.
  std::uint64_t answer_from_ = 0;
  std::uint64_t answer_to_ = 0;
};

constexpr std::size_t kMessagesKept = 256;

// RFC 6455, section 4.2.2.
std::string accept_key(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 29> base64;
  EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return std::string(reinterpret_cast<const char*>(base64.data()), 28);
}

void append_length(std::string& frame, std::size_t length) {
  if (length < 126) {
    frame += static_cast<char>(length);
    return;
  }
  const int bytes = length < 65536 ? 2 : 8;
  frame += static_cast<char>(bytes == 2 ? 126 : 127);
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) frame += static_cast<char>(std::uint64_t{length} >> shift & 0xff);
}

// A client's masked frame at the beginning of `bytes`; size 0 when it is not whole yet.
struct ClientFrame {
  std::size_t size = 0;
  unsigned opcode = 0;
  std::string_view mask;
  std::string_view payload;
};

ClientFrame client_frame(std::string_view bytes) {
  if (bytes.size() < 2) return {};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  std::size_t length = byte(1) & 0x7f;
  const std::size_t extended = length < 126 ? 0 : length == 126 ? 2 : 8;
  const std::size_t header = 2 + extended + 4;
  if (bytes.size() < header) return {};
  if (extended > 0) length = 0;
  for (std::size_t i = 0; i < extended; ++i) length = length << 8 | byte(2 + i);
  if (bytes.size() - header < length) return {};
  return {.size = header + length,
          .opcode = byte(0) & 0x0fu,
          .mask = bytes.substr(header - 4, 4),
          .payload = bytes.substr(header, length)};
}

// The value of a field whose name is written as our own generator does it; empty when it is not there.
std::string_view field(std::string_view request, std::string_view name) {
  const std::size_t at = request.find(name);
  if (at == std::string_view::npos) return {};
  request.remove_prefix(at + name.size());
  return request.substr(0, request.find('\r'));
}

bool is_whole_request(std::string_view bytes) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t end = bytes.find(kEnd);
  if (end == std::string_view::npos) return false;
  std::size_t length = 0;
  const std::string_view digits = field(bytes.substr(0, end + 2), "Content-Length: ");
  std::from_chars(digits.data(), digits.data() + digits.size(), length);
  return bytes.size() - end - kEnd.size() >= length;
}

int Floor::run() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (!listen()) {
    std::perror("bench_floor");
    return 1;
  }
  std::array<epoll_event, 1024> events;
  while (true) {
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == listener_)
        accept_all();
      else
        on_event(event.data.fd, event.events);
    }
  }
}

bool Floor::listen() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 4096) != 0) return false;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  watch(listener_, false, EPOLL_CTL_ADD);
  std::printf("listening on http://127.0.0.1:%u\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return true;
}

void Floor::accept_all() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connections_.size() <= static_cast<std::size_t>(fd)) connections_.resize(static_cast<std::size_t>(fd) + 1);
    at(fd) = {};
    watch(fd, false, EPOLL_CTL_ADD);
  }
}

void Floor::on_event(int fd, std::uint32_t events) {
  if (events & EPOLLOUT) on_writable(fd);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  static std::array<char, 1 << 20> buffer;
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
  if (size > 0) return on_bytes(fd, {buffer.data(), static_cast<std::size_t>(size)});
  if (size == 0 || errno != EAGAIN) drop(fd);
}

void Floor::on_bytes(int fd, std::string_view bytes) {
  Connection& connection = at(fd);
  if (connection.kind == Connection::Kind::kSubscriber || connection.kind == Connection::Kind::kBystander) return;
  if (connection.kind == Connection::Kind::kPublisher) {
    if (connection.received == nullptr) connection.received = std::make_unique<std::string>();
    connection.received->append(bytes);
    return fan_out(connection);
  }
  std::unique_ptr<std::string> gathered = std::move(connection.received);
  if (gathered != nullptr) bytes = gathered->append(bytes);
  if (is_whole_request(bytes)) return connection.kind == Connection::Kind::kPoller ? on_poll(fd) : on_first_request(fd, bytes);
  if (gathered == nullptr) gathered = std::make_unique<std::string>(bytes);
  connection.received = std::move(gathered);
}

void Floor::on_first_request(int fd, std::string_view request) {
  if (const std::string_view key = field(request, "Sec-WebSocket-Key: "); !key.empty()) return upgrade(fd, request, key);
  has_pollers_ = true;
  at(fd).kind = Connection::Kind::kPoller;
  at(fd).heard = published_;
  on_poll(fd);
}

void Floor::upgrade(int fd, std::string_view request, std::string_view key) {
  const std::string accept = accept_key(key);

  using Kind = Connection::Kind;
  at(fd).kind = request.starts_with("GET /pub ")   ? Kind::kPublisher
                : request.starts_with("GET /sub ") ? Kind::kSubscriber
                                                   : Kind::kBystander;
  if (at(fd).kind == Kind::kSubscriber) subscribers_.push_back(fd);
  const std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept +
      "\r\n\r\n";
  send_to(fd, std::make_shared<const std::string>(answer), 0, answer.size());
}

void Floor::on_poll(int fd) {
  if (at(fd).heard < published_) return answer(fd);
  polls_.push_back(fd);
}

void Floor::answer(int fd) {
  const Block& block = answer_from(at(fd).heard);
  at(fd).heard = published_;
  send_to(fd, block, 0, block->size());
}

// The same bytes for all who have heard as much.
const Block& Floor::answer_from(std::uint64_t heard) {
  if (answer_ != nullptr && answer_from_ == heard && answer_to_ == published_) return answer_;
  std::string body;
  for (std::size_t i = messages_.size() - std::min<std::size_t>(published_ - heard, messages_.size()); i < messages_.size();
       ++i) {
    body += messages_[i];
  }
  std::array<char, 64> head;
  constexpr const char* kHead = "HTTP/1.1 200 OK\r\nContent-Length: %08zu\r\n\r\n";
  const auto head_size = static_cast<std::size_t>(std::snprintf(head.data(), head.size(), kHead, body.size()));
  if (head_size + body.size() < options_.answer) body.resize(options_.answer - head_size, 'p');
  std::snprintf(head.data(), head.size(), kHead, body.size());
  answer_ = std::make_shared<const std::string>(std::string(head.data(), head_size) + body);
  answer_from_ = heard;
  answer_to_ = published_;
  return answer_;
}

void Floor::keep(std::string message) {
  if (messages_.size() == kMessagesKept) messages_.pop_front();
  messages_.push_back(std::move(message));
  ++published_;
}

// Writes the server's frames for all whole frames of the publisher, once, and sends them to everybody.
void Floor::fan_out(Connection& publisher) {
  auto frames = std::make_shared<std::string>();
  std::vector<std::size_t> ends;
  std::string_view rest = *publisher.received;
  while (true) {
    const ClientFrame frame = client_frame(rest);
    if (frame.size == 0) break;
    rest.remove_prefix(frame.size);
    if (frame.opcode != 1) continue;
    *frames += '\x81';
    append_length(*frames, frame.payload.size() + pad_.size());
    const std::size_t body = frames->size();
    frames->append(frame.payload);
    for (std::size_t i = 0; i < frame.payload.size(); ++i) (*frames)[body + i] ^= frame.mask[i & 3];
    if (has_pollers_) keep(frames->substr(body));
    *frames += pad_;
    ends.push_back(frames->size());
  }
  publisher.received->erase(0, publisher.received->size() - rest.size());
  if (ends.empty()) return;
  for (const int poll : std::exchange(polls_, {})) answer(poll);
  if (options_.gather) ends = {frames->size()};
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    for (const int subscriber : subscribers_) send_to(subscriber, frames, begin, end);
    begin = end;
  }
}

void Floor::send_to(int fd, const Block& block, std::size_t begin, std::size_t end) {
  Connection& connection = at(fd);
  if (connection.unsent == nullptr) {
    const ssize_t taken = send(fd, block->data() + begin, end - begin, MSG_NOSIGNAL);
    if (taken > 0) begin += static_cast<std::size_t>(taken);
    if (begin == end) return;
    connection.unsent = std::make_unique<Unsent>();
    watch(fd, true, EPOLL_CTL_MOD);
  }
  connection.unsent->pieces.push_back({block, begin, end});
}

void Floor::on_writable(int fd) {
  Connection& connection = at(fd);
  if (connection.unsent == nullptr) return;
  auto& pieces = connection.unsent->pieces;
  while (!pieces.empty()) {
    Unsent::Piece& piece = pieces.front();
    const ssize_t taken = send(fd, piece.block->data() + piece.begin, piece.end - piece.begin, MSG_NOSIGNAL);
    if (taken > 0) piece.begin += static_cast<std::size_t>(taken);
    if (piece.begin < piece.end) return;
    pieces.pop_front();
  }
  connection.unsent.reset();
  watch(fd, false, EPOLL_CTL_MOD);
}

void Floor::watch(int fd, bool writable, int operation) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (writable) event.events |= EPOLLOUT;
  event.data.fd = fd;
  epoll_ctl(epoll_, operation, fd, &event);
}

void Floor::drop(int fd) {
  if (at(fd).kind == Connection::Kind::kSubscriber) std::erase(subscribers_, fd);
  if (at(fd).kind == Connection::Kind::kPoller) std::erase(polls_, fd);
  at(fd) = {};
  close(fd);
}

[[noreturn]] void usage() {
  std::fputs("usage: bench_floor [--listen 127.0.0.1:PORT] [--mode each|gather] [--pad BYTES] [--answer BYTES]\n", stderr);
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) usage();
    const std::string value = argv[i + 1];
    constexpr std::string_view kLoopback = "127.0.0.1:";
    if (name == "--listen" && value.starts_with(kLoopback)) {
      options.port = static_cast<std::uint16_t>(std::atoi(value.c_str() + kLoopback.size()));
    } else if (name == "--mode" && (value == "each" || value == "gather")) {
      options.gather = value == "gather";
    } else if (name == "--pad") {
      options.pad = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "--answer") {
      options.answer = std::strtoul(value.c_str(), nullptr, 10);
    } else {
      usage();
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  return Floor(parse(argc, argv)).run();
}
