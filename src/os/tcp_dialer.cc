#include "os/tcp_dialer.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include "os/socket_address.h"
#include "os/tcp_stream.h"
#include "os/tls_stream.h"

namespace carillon {
namespace {

using Addresses = Result<std::vector<SocketAddress>>;

Addresses look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0)
    return Error{ErrorKind::kUnavailable, fmt::format("the name {} is not found: {}", host, gai_strerror(failed))};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
  }
  return addresses;
}

}  // namespace

// Between a dialer and the threads that look names up, which may outlive it and its loop.
class TcpDialer::Lookups : public std::enable_shared_from_this<TcpDialer::Lookups> {
 public:
  using Found = UniqueFunction<void(Addresses)>;

  explicit Lookups(EpollLoop& loop) : loop_(&loop) {}

  // False: too many are under way. `found` is called on the loop, later.
  bool begin(const std::string& host, std::uint16_t port, Found found) {
    {
      const std::lock_guard lock(mutex_);
      if (running_ == kLookupsMax) return false;
      ++running_;
    }
    try {
      std::thread([self = shared_from_this(), host, port, found = std::move(found)]() mutable {
        self->end(look_up(host, port, 0), std::move(found));
      }).detach();
    } catch (const std::system_error&) {  // The system has no thread left.
      const std::lock_guard lock(mutex_);
      --running_;
      return false;
    }
    return true;
  }

  // Nothing is posted from now on.
  void close() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }

 private:
  void end(Addresses addresses, Found found) {
    const std::lock_guard lock(mutex_);
    --running_;
    if (loop_ == nullptr) return;
    loop_->post([addresses = std::move(addresses), found = std::move(found)]() mutable { found(std::move(addresses)); });
  }

  std::mutex mutex_;
  EpollLoop* loop_;  // Under mutex_, as the next.
  int running_ = 0;
};

namespace {

// The attempt itself. It lives until the end of the turn in which it is given up.
class Dialing final : public Disposable, public Pollable, private Timer {
 public:
  Dialing(EpollLoop& loop, const DialTarget& target, Millis timeout, Dialer::Dialed done)
      : loop_(loop), target_(target), gives_up_at_(loop.now() + timeout), timeout_(timeout), done_(std::move(done)) {}

  void start(const std::shared_ptr<TcpDialer::Lookups>& lookups) {
    loop_.schedule(*this, timeout_);
    if (Addresses literal = look_up(target_.host, target_.port, AI_NUMERICHOST)) {
      addresses_ = std::move(*literal);
      loop_.post([self = token()] {
        if (*self != nullptr) (*self)->connect_next();
      });
      return;
    }
    state_ = State::kLookup;
    const auto found = [self = token()](Addresses addresses) {
      if (*self != nullptr) (*self)->on_found(std::move(addresses));
    };
    if (lookups->begin(target_.host, target_.port, found)) return;
    loop_.post([self = token()] {
      if (*self != nullptr) (*self)->finish(Error{ErrorKind::kUnavailable, "too many names are being looked up"});
    });
  }

  void give_up() {
    *self_ = nullptr;
    cancel();
    drop_socket();
    if (secure_) secure_->close();
  }

 private:
  enum class State : std::uint8_t { kLookup, kConnecting, kHandshake };
  using Token = std::shared_ptr<Dialing*>;

  const Token& token() const { return self_; }

  void on_found(Addresses addresses) {
    if (!addresses) return finish(addresses.error());
    addresses_ = std::move(*addresses);
    connect_next();
  }

  void drop_socket() {
    if (socket_) loop_.forget(socket_.get());
    socket_.close();
  }

  // Tries addresses until one is under way, or none is left.
  void connect_next() {
    state_ = State::kConnecting;
    while (next_ < addresses_.size()) {
      const SocketAddress& address = addresses_[next_++];
      if (begin_connect(address)) return schedule_share();
      note_failure(address, errno);
    }
    finish(Error{ErrorKind::kUnavailable, failures_.empty() ? "the name has no address" : failures_});
  }

  bool begin_connect(const SocketAddress& address) {
    socket_ = FileDescriptor(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return false;
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const int result = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size);
    if (result != 0 && errno != EINPROGRESS) return false;
    return loop_.watch(socket_.get(), EPOLLOUT, *this).has_value();
  }

  // The addresses that are left share the time that is left.
  void schedule_share() {
    const Millis left = std::max(gives_up_at_ - loop_.now(), Millis{0});
    loop_.schedule(*this, left / static_cast<int>(addresses_.size() - next_ + 1));
  }

  void note_failure(const SocketAddress& address, int fault) {
    if (!failures_.empty()) failures_ += "; ";
    failures_ += fmt::format("cannot connect to {}: {}", describe_address(address.storage).text, std::strerror(fault));
  }

  void on_ready(std::uint32_t) override {
    if (!socket_ || state_ != State::kConnecting) return;
    int fault = 0;
    socklen_t size = sizeof fault;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &fault, &size);
    if (fault != 0) {
      note_failure(addresses_[next_ - 1], fault);
      drop_socket();
      return connect_next();
    }
    on_connected();
  }

  void on_connected() {
    loop_.forget(socket_.get());
    std::unique_ptr<Stream> stream = TcpStream::adopt(loop_, std::exchange(socket_, FileDescriptor()));
    if (!stream) return finish(Error{ErrorKind::kUnavailable, "the connection cannot be watched"});
    if (!target_.tls) return finish(std::move(stream));
    begin_handshake(std::move(stream));
  }

  void begin_handshake(std::unique_ptr<Stream> stream) {
    state_ = State::kHandshake;
    loop_.schedule(*this, std::max(gives_up_at_ - loop_.now(), Millis{0}));
    Result<std::unique_ptr<TlsStream>> secure = TlsStream::create(loop_, std::move(stream), *target_.tls, target_.host);
    if (!secure) return finish(secure.error());
    secure_ = std::move(*secure);
    secure_->shake_hands([self = token()](Result<void> shaken) {
      if (*self != nullptr) (*self)->on_shaken(std::move(shaken));
    });
  }

  void on_shaken(Result<void> shaken) {
    if (!shaken) return finish(shaken.error());
    finish(std::unique_ptr<Stream>(std::move(secure_)));
  }

  void on_timer() override {
    if (state_ == State::kLookup) return finish(late("looking up its name"));
    if (state_ == State::kHandshake) return finish(late("the TLS handshake"));
    note_failure(addresses_[next_ - 1], ETIMEDOUT);
    drop_socket();
    if (loop_.now() < gives_up_at_) return connect_next();
    finish(Error{ErrorKind::kUnavailable, failures_});
  }

  Error late(std::string_view what) const {
    return {ErrorKind::kUnavailable, fmt::format("{} took longer than {} ms", what, timeout_.count())};
  }

  void finish(Result<std::unique_ptr<Stream>> result) {
    cancel();
    drop_socket();
    if (!result && secure_) secure_->close();
    *self_ = nullptr;
    std::exchange(done_, {})(std::move(result));
  }

  EpollLoop& loop_;
  const DialTarget target_;
  const Millis gives_up_at_;
  const Millis timeout_;
  Dialer::Dialed done_;
  const Token self_ = std::make_shared<Dialing*>(this);
  State state_ = State::kConnecting;
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;  // Of addresses_, to be tried.
  std::string failures_;
  FileDescriptor socket_;
  std::unique_ptr<TlsStream> secure_;
};

class HeldDialing final : public DialAttempt {
 public:
  HeldDialing(EpollLoop& loop, std::unique_ptr<Dialing> dialing) : loop_(loop), dialing_(std::move(dialing)) {}
  ~HeldDialing() override {
    dialing_->give_up();
    loop_.dispose(std::move(dialing_));
  }

 private:
  EpollLoop& loop_;
  std::unique_ptr<Dialing> dialing_;
};

}  // namespace

TcpDialer::TcpDialer(EpollLoop& loop) : loop_(loop), lookups_(std::make_shared<Lookups>(loop)) {}

TcpDialer::~TcpDialer() {
  lookups_->close();
}

std::unique_ptr<DialAttempt> TcpDialer::dial(const DialTarget& target, Millis timeout, Dialed done) {
  auto dialing = std::make_unique<Dialing>(loop_, target, timeout, std::move(done));
  dialing->start(lookups_);
  return std::make_unique<HeldDialing>(loop_, std::move(dialing));
}

}  // namespace carillon
