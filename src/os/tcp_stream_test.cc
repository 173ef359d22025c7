#include "os/tcp_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "os/tcp_listener.h"

namespace carillon {
namespace {

// Writes down what happens; a test says what it does about it.
struct Handler final : StreamHandler {
  void on_bytes(std::span<char> bytes) override {
    got.append(bytes.data(), bytes.size());
    if (then_on_bytes) then_on_bytes();
  }
  void on_end() override {
    story += "end ";
    if (then_on_end) then_on_end();
  }
  void on_writable() override {
    story += "writable ";
    if (then_on_writable) then_on_writable();
  }
  void on_lost() override {
    story += "lost ";
    if (then_on_lost) then_on_lost();
  }

  std::string got, story;
  std::function<void()> then_on_bytes, then_on_end, then_on_writable, then_on_lost;
};

// A server's stream on a loop that runs on its own thread; the client is a plain socket on the test's.
class TcpStreamTest : public ::testing::Test, public StreamAcceptor {
 protected:
  // Runs on the loop's thread while this one waits. What the handler and the stream know is asked and changed like this.
  template <class Question>
  auto on_loop(Question question) {
    std::promise<decltype(question())> answer;
    loop_->post([&] { answer.set_value(question()); });
    return answer.get_future().get();
  }

  std::uint64_t turns() const { return loop_->turns(); }

  TcpStreamTest() {
    Result<ListeningSockets> listening = listen_on("127.0.0.1:0", 1);
    const Result<SocketAddress> address = parse_address(listening->address.text);
    listener_ = std::make_unique<TcpListener>(*loop_, std::move(listening->sockets[0]), *this);
    EXPECT_TRUE(listener_->start());
    thread_ = std::thread([this] { loop_->run(); });
    client = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int small = 16 << 10;
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->size), 0);
    until([&] { return stream != nullptr; });
  }
  ~TcpStreamTest() override {
    on_loop([&] {
      listener_->stop();
      stream.reset();
      loop_->stop();
      return true;
    });
    thread_.join();
  }

  void prepare(std::function<void()>& place, std::function<void()> act) {
    on_loop([&] {
      place = std::move(act);
      return true;
    });
  }
  template <class Condition>
  void until(Condition condition) {
    const auto gives_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!on_loop(condition)) {
      ASSERT_LT(std::chrono::steady_clock::now(), gives_up)
          << "waited in vain; so far: " << on_loop([&] { return handler.story; });
      std::this_thread::yield();
    }
  }
  void send(std::string_view bytes) { EXPECT_EQ(::send(client.get(), bytes.data(), bytes.size(), 0), ssize_t(bytes.size())); }
  // So many bytes, or fewer when the server ends before.
  std::string receive(std::size_t count) {
    std::string bytes(count, 0);
    const ssize_t got = ::recv(client.get(), bytes.data(), count, MSG_WAITALL);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }
  void reset_by_peer() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client.close();
  }
  // On the loop's thread.
  std::size_t write(std::string_view bytes) { return stream->write({&bytes, 1}); }

  std::unique_ptr<Stream> stream;
  Handler handler;
  FileDescriptor client;

 private:
  void on_stream(std::unique_ptr<Stream> accepted) override {
    stream = std::move(accepted);
    stream->set_handler(handler);
  }

  const std::unique_ptr<EpollLoop> loop_ = *EpollLoop::create();
  std::unique_ptr<TcpListener> listener_;
  std::thread thread_;
};

TEST_F(TcpStreamTest, BytesGoBothWays) {
  send("hello");
  until([&] { return handler.got == "hello"; });
  EXPECT_EQ(on_loop([&] { return write("answer"); }), 6u);
  EXPECT_EQ(receive(6), "answer");
  EXPECT_TRUE(on_loop([&] { return stream->peer().loopback; }));
  EXPECT_TRUE(on_loop([&] { return stream->peer().text.starts_with("127.0.0.1:"); }));
}

TEST_F(TcpStreamTest, ManyPiecesLeaveInTheirOrder) {
  std::string all;
  std::vector<std::string> texts;
  for (int i = 0; i < 1'000; ++i) texts.push_back(i % 7 == 0 ? "" : std::to_string(i) + ";");
  for (const std::string& text : texts) all += text;
  const std::vector<std::string_view> pieces(texts.begin(), texts.end());
  EXPECT_EQ(on_loop([&] { return stream->write(pieces); }), all.size());
  EXPECT_EQ(receive(all.size()), all);
}

TEST_F(TcpStreamTest, AShortWriteIsContinuedWhenThereIsRoom) {
  std::string all;
  for (int i = 0; all.size() < (32u << 20); ++i) all += std::to_string(i) + ' ';
  std::size_t sent = 0;
  prepare(handler.then_on_writable, [&] { sent += write(std::string_view(all).substr(sent)); });
  const bool was_short = on_loop([&] {
    sent = write(all);
    return sent < all.size() && write("never inside") == 0;
  });
  EXPECT_TRUE(was_short);
  EXPECT_EQ(receive(all.size()), all);
  EXPECT_EQ(on_loop([&] { return sent; }), all.size());
  EXPECT_NE(on_loop([&] { return handler.story; }).find("writable"), std::string::npos);
}

TEST_F(TcpStreamTest, APeerThatEndsStillHears) {
  send("last");
  ::shutdown(client.get(), SHUT_WR);
  until([&] { return handler.story == "end "; });
  EXPECT_EQ(on_loop([&] { return handler.got; }), "last");
  on_loop([&] {
    write("answer");
    stream->shutdown_write();
    return true;
  });
  EXPECT_EQ(receive(100), "answer");
  // With both sides ended the connection is over.
  until([&] { return handler.story == "end lost "; });
}

TEST_F(TcpStreamTest, WeEndAndStillRead) {
  on_loop([&] {
    stream->shutdown_write();
    return true;
  });
  EXPECT_EQ(receive(1), "");
  send("more");
  until([&] { return handler.got == "more"; });
  EXPECT_EQ(on_loop([&] { return handler.story; }), "");
}

TEST_F(TcpStreamTest, AResetIsALoss) {
  reset_by_peer();
  until([&] { return handler.story == "lost "; });
  EXPECT_EQ(on_loop([&] { return write("nobody"); }), 0u);
  EXPECT_EQ(on_loop([&] { return stream->peer().text; }), "");
}

TEST_F(TcpStreamTest, AResetIsALossWhilePausedAndWhileBlocked) {
  on_loop([&] {
    stream->pause_reading();
    return write(std::string(32 << 20, 'x'));
  });
  reset_by_peer();
  until([&] { return handler.story.find("lost ") != std::string::npos; });
}

TEST_F(TcpStreamTest, NothingComesWhilePaused) {
  on_loop([&] {
    stream->pause_reading();
    stream->pause_reading();
    return true;
  });
  send("waits");
  for (int i = 0; i < 100; ++i) on_loop([] { return true; });
  EXPECT_EQ(on_loop([&] { return handler.got; }), "");
  on_loop([&] {
    stream->resume_reading();
    return true;
  });
  until([&] { return handler.got == "waits"; });
}

TEST_F(TcpStreamTest, AHandlerMayPauseAndCloseInsideItsCalls) {
  prepare(handler.then_on_bytes, [&] { stream->close(); });
  prepare(handler.then_on_writable, [&] { ADD_FAILURE() << "was closed"; });
  on_loop([&] { return write(std::string(32 << 20, 'x')); });  // Waits for room too.
  send("x");
  until([&] { return handler.got == "x"; });
  std::string rest(1 << 20, 0);
  while (::recv(client.get(), rest.data(), rest.size(), 0) > 0) continue;
  EXPECT_EQ(on_loop([&] { return handler.story; }), "");
  on_loop([&] {
    stream->close();
    stream->pause_reading();
    stream->resume_reading();
    stream->shutdown_write();
    return write("closed");
  });
}

TEST_F(TcpStreamTest, AHandlerMayCloseAtTheEnd) {
  prepare(handler.then_on_end, [&] { stream->close(); });
  ::shutdown(client.get(), SHUT_WR);
  until([&] { return handler.story == "end "; });
  EXPECT_EQ(receive(1), "");
  for (int i = 0; i < 20; ++i) on_loop([] { return true; });
  EXPECT_EQ(on_loop([&] { return handler.story; }), "end ");
}

TEST_F(TcpStreamTest, AnotherHandlerMayTakeOver) {
  Handler other;
  prepare(handler.then_on_bytes, [&] { stream->set_handler(other); });
  send("first");
  until([&] { return handler.got == "first"; });
  send("second");
  until([&] { return other.got == "second"; });
  client.close();
  until([&] { return other.story == "end "; });
  on_loop([&] {
    stream->set_handler(handler);
    return true;
  });
}

// An embedding program may start another at any time: until that one has begun, it has our sockets too.
TEST_F(TcpStreamTest, AClosedStreamIsForgottenThoughAForkedProcessHasItsSocket) {
  const pid_t forked = ::fork();
  if (forked == 0) {
    for (;;) ::pause();
  }
  on_loop([&] {
    stream->close();
    return true;
  });
  EXPECT_EQ(::send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
  // A loop that is told of it again and again takes many turns between two of these.
  constexpr std::uint64_t kAsked = 500;
  const std::uint64_t turns_before = turns();
  for (std::uint64_t i = 0; i < kAsked; ++i) on_loop([] { return true; });
  EXPECT_LE(turns() - turns_before, 2 * kAsked);
  ::kill(forked, SIGKILL);
  ::waitpid(forked, nullptr, 0);
}

}  // namespace
}  // namespace carillon
