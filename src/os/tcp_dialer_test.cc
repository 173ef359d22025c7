#include "os/tcp_dialer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>

#include "os/socket_address.h"
#include "os/tcp_listener.h"
#include "os/threads_double.h"

namespace carillon {
namespace {

struct Hears final : StreamHandler {
  void on_bytes(std::span<char> bytes) override { got.append(bytes.data(), bytes.size()); }
  void on_end() override {}
  void on_writable() override {}
  void on_lost() override {}
  std::string got;
};

class TcpDialerTest : public ::testing::Test, public StreamAcceptor {
 protected:
  TcpDialerTest() { threads_.start(); }
  ~TcpDialerTest() override {
    threads_.on(0, [this] {
      attempt_.reset();
      if (listener_) listener_->stop();
      stream.reset();
      accepted.reset();
    });
  }

  // The port where it listens.
  std::uint16_t listen() {
    std::uint16_t port = 0;
    threads_.on(0, [&] {
      Result<ListeningSockets> listening = listen_on("127.0.0.1:0", 1);
      listener_ = std::make_unique<TcpListener>(threads_[0], std::move(listening->sockets[0]), *this);
      EXPECT_TRUE(listener_->start());
      port = static_cast<std::uint16_t>(std::stoi(listening->address.text.substr(listening->address.text.rfind(':') + 1)));
    });
    return port;
  }
  // A port where nobody listens, bound so that nobody else comes to.
  std::uint16_t dead_port() {
    dead_ = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    Result<SocketAddress> address = parse_address("127.0.0.1:0");
    socklen_t size = sizeof address->storage;
    EXPECT_EQ(::bind(dead_.get(), reinterpret_cast<sockaddr*>(&address->storage), address->size), 0);
    EXPECT_EQ(::getsockname(dead_.get(), reinterpret_cast<sockaddr*>(&address->storage), &size), 0);
    const std::string text = describe_address(address->storage).text;
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  }

  // Empty: it worked, and `stream` is connected.
  std::string dial(const std::string& host, std::uint16_t port, Millis timeout = Millis{20'000}) {
    std::promise<std::string> dialed;
    threads_[0].post([&] {
      dialing_ = true;
      attempt_ = dialer_.dial({.host = host, .port = port, .tls = {}}, timeout, [&](Result<std::unique_ptr<Stream>> result) {
        EXPECT_FALSE(dialing_) << "answered inside the call";
        if (!result) return dialed.set_value(result.error().text);
        stream = std::move(*result);
        stream->set_handler(heard);
        dialed.set_value("");
      });
      dialing_ = false;
    });
    return dialed.get_future().get();
  }
  template <class Condition>
  void until(Condition condition) {
    const auto gives_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (bool holds = false; !holds;) {
      threads_.on(0, [&] { holds = condition(); });
      ASSERT_LT(std::chrono::steady_clock::now(), gives_up) << "waited in vain";
      std::this_thread::yield();
    }
  }
  void on_stream(std::unique_ptr<Stream> arrived) override {
    accepted = std::move(arrived);
    accepted->set_handler(heard_there);
  }

  Threads threads_{1};
  TcpDialer dialer_{threads_[0]};
  std::unique_ptr<DialAttempt> attempt_;
  bool dialing_ = false;  // Inside a call of dial.
  std::unique_ptr<Stream> stream, accepted;
  Hears heard, heard_there;

 private:
  std::unique_ptr<TcpListener> listener_;
  FileDescriptor dead_;
};

TEST_F(TcpDialerTest, AnAddressIsConnectedTo) {
  ASSERT_EQ(dial("127.0.0.1", listen()), "");
  const std::string_view hello = "hello", answer = "answer";
  threads_.on(0, [&] { EXPECT_EQ(stream->write({&hello, 1}), hello.size()); });
  until([&] { return heard_there.got == hello; });
  threads_.on(0, [&] { EXPECT_EQ(accepted->write({&answer, 1}), answer.size()); });
  until([&] { return heard.got == answer; });
}

// It has an address of each family; there is a listener at one.
TEST_F(TcpDialerTest, ANameIsLookedUpAndItsAddressesAreTried) {
  ASSERT_EQ(dial("localhost", listen()), "");
  threads_.on(0, [&] { EXPECT_TRUE(stream->peer().text.starts_with("127.0.0.1:")); });
}

TEST_F(TcpDialerTest, AnAddressWhereNobodyListensIsTold) {
  const std::uint16_t port = dead_port();
  EXPECT_EQ(dial("127.0.0.1", port), "cannot connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
}

TEST_F(TcpDialerTest, ANameThatIsNoneIsTold) {
  EXPECT_TRUE(dial("no.such.name.invalid", 1).starts_with("the name no.such.name.invalid is not found: "));
}

// A listener whose queue is full does not answer.
TEST_F(TcpDialerTest, AnAddressThatDoesNotAnswerIsGivenUpInTime) {
  const FileDescriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Result<SocketAddress> address = parse_address("127.0.0.1:0");
  socklen_t size = sizeof address->storage;
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address->storage), address->size), 0);
  ASSERT_EQ(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address->storage), &size), 0);
  ASSERT_EQ(::listen(listening.get(), 0), 0);
  std::vector<FileDescriptor> queue;
  for (int i = 0; i < 4; ++i) {
    queue.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(queue.back().get(), reinterpret_cast<sockaddr*>(&address->storage), address->size);
  }
  const std::string text = describe_address(address->storage).text;
  const auto port = static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  EXPECT_EQ(dial("127.0.0.1", port, Millis{100}), "cannot connect to " + text + ": Connection timed out");
}

TEST_F(TcpDialerTest, AnAttemptThatIsGivenUpIsNotAnswered) {
  const std::uint16_t port = listen();
  bool answered = false;
  threads_.on(0, [&] {
    for (const char* const host : {"127.0.0.1", "localhost"}) {
      const std::unique_ptr<DialAttempt> attempt =
          dialer_.dial({.host = host, .port = port, .tls = {}}, Millis{20'000},
                       [&](const Result<std::unique_ptr<Stream>>&) { answered = true; });
    }
  });
  ASSERT_EQ(dial("localhost", port), "");
  until([&] { return accepted != nullptr; });
  threads_.on(0, [&] { EXPECT_FALSE(answered); });
}

TEST_F(TcpDialerTest, ADialerMayEndWhileANameIsLookedUp) {
  std::unique_ptr<DialAttempt> attempt;
  threads_.on(0, [&] {
    TcpDialer dialer(threads_[0]);
    attempt = dialer.dial({.host = "no.such.name.invalid", .port = 1, .tls = {}}, Millis{50},
                          [&](const Result<std::unique_ptr<Stream>>& result) {
                            EXPECT_EQ(result.error().text, "looking up its name took longer than 50 ms");
                            attempt.reset();
                          });
  });
  until([&] { return attempt == nullptr; });
}

}  // namespace
}  // namespace carillon
