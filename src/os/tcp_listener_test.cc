#include "os/tcp_listener.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace carillon {
namespace {

FileDescriptor connected_to(const PeerAddress& server) {
  const Result<SocketAddress> address = parse_address(server.text);
  FileDescriptor socket(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->size) != 0) socket.close();
  return socket;
}

// Stops the loop after so many connections.
class Counting final : public StreamAcceptor {
 public:
  Counting(EpollLoop& loop, int wanted) : loop_(loop), wanted_(wanted) {}
  void on_stream(std::unique_ptr<Stream> stream) override {
    peers.push_back(stream->peer());
    stream->close();
    if (--wanted_ == 0) loop_.stop();
  }
  std::vector<PeerAddress> peers;

 private:
  EpollLoop& loop_;
  int wanted_;
};

TEST(TcpListener, PortZeroPicksAFreeOne) {
  const Result<ListeningSockets> first = listen_on("127.0.0.1:0", 2);
  const Result<ListeningSockets> second = listen_on("127.0.0.1:0", 1);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->sockets.size(), 2u);
  EXPECT_NE(first->address.text, "127.0.0.1:0");
  EXPECT_NE(first->address.text, second->address.text);
  EXPECT_TRUE(first->address.loopback);
}

TEST(TcpListener, APortInUseIsRefusedAlsoWhenItCouldBeShared) {
  // Ours share their ports; a second server must not slip in beside them.
  const Result<ListeningSockets> sharing = listen_on("127.0.0.1:0", 2);
  ASSERT_TRUE(sharing);
  const Result<ListeningSockets> second = listen_on(sharing->address.text, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(second.error().text,
            "cannot listen on " + sharing->address.text +
                ": Address already in use; is another server running there? Choose another port, or port 0 "
                "for a free one");
  FileDescriptor alone(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  socklen_t size = sizeof any;
  ASSERT_EQ(::bind(alone.get(), reinterpret_cast<sockaddr*>(&any), size), 0);
  ASSERT_EQ(::listen(alone.get(), 1), 0);
  sockaddr_storage bound{};
  size = sizeof bound;
  ::getsockname(alone.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  EXPECT_FALSE(listen_on(describe_address(bound).text, 1));
}

TEST(TcpListener, AnAddressOfAnotherMachineIsRefused) {
  const Result<ListeningSockets> elsewhere = listen_on("192.0.2.1:0", 1);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().text, "cannot listen on 192.0.2.1:0: Cannot assign requested address");
  EXPECT_FALSE(listen_on("nonsense", 1));
}

TEST(TcpListener, AcceptsUntilItStops) {
  const std::unique_ptr<EpollLoop> loop = *EpollLoop::create();
  Counting acceptor(*loop, 300);
  Result<ListeningSockets> listening = listen_on("127.0.0.1:0", 1);
  ASSERT_TRUE(listening);
  TcpListener listener(*loop, std::move(listening->sockets[0]), acceptor);
  ASSERT_TRUE(listener.start());
  std::vector<FileDescriptor> clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(connected_to(listening->address));
    ASSERT_TRUE(clients.back());
  }
  loop->run();
  ASSERT_EQ(acceptor.peers.size(), 300u);
  EXPECT_TRUE(acceptor.peers[0].loopback);
  listener.stop();
  listener.stop();
  EXPECT_FALSE(connected_to(listening->address));
  EXPECT_TRUE(listen_on(listening->address.text, 1));  // Free again at once.
}

TEST(TcpListener, SpeaksIpv6) {
  const std::unique_ptr<EpollLoop> loop = *EpollLoop::create();
  Counting acceptor(*loop, 1);
  Result<ListeningSockets> listening = listen_on("[::1]:0", 1);
  if (!listening) GTEST_SKIP() << listening.error().text;
  TcpListener listener(*loop, std::move(listening->sockets[0]), acceptor);
  ASSERT_TRUE(listener.start());
  const FileDescriptor client = connected_to(listening->address);
  ASSERT_TRUE(client);
  loop->run();
  EXPECT_TRUE(acceptor.peers[0].text.starts_with("[::1]:"));
  EXPECT_TRUE(acceptor.peers[0].loopback);
}

}  // namespace
}  // namespace carillon
