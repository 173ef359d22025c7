#include "os/tls_stream.h"

#include <gtest/gtest.h>

#include <future>

#include "os/tcp_dialer.h"
#include "os/threads_double.h"
#include "os/tls_peer_double.h"

namespace carillon {
namespace {

// What a client does with its stream; everything on the loop's thread.
struct Client final : StreamHandler {
  void on_bytes(std::span<char> bytes) override {
    got.append(bytes.data(), bytes.size());
    if (pauses && !paused) {
      paused = true;
      stream->pause_reading();
    }
  }
  void on_end() override { story += "end "; }
  void on_writable() override { send(); }
  void on_lost() override { story += "lost "; }

  // As much of what is left as the stream takes; the rest later.
  void send() {
    const std::string_view rest = std::string_view(to_send).substr(sent);
    const std::string_view pieces[] = {rest.substr(0, rest.size() / 1000), rest.substr(rest.size() / 1000)};
    const std::size_t taken = stream->write(pieces);
    short_writes += taken < rest.size() ? 1 : 0;
    sent += taken;
  }

  std::unique_ptr<Stream> stream;
  std::string got, story, to_send;
  std::size_t sent = 0;
  int short_writes = 0;
  bool pauses = false;  // At its first bytes.
  bool paused = false;
};

class TlsStreamTest : public ::testing::Test {
 protected:
  TlsStreamTest() { threads_.start(); }
  ~TlsStreamTest() override {
    threads_.on(0, [this] {
      if (client.stream) client.stream->close();
      client.stream.reset();
    });
  }

  // Absent: it worked.
  std::optional<std::string> connect(std::uint16_t port, const DialTls& tls, const std::string& host = "127.0.0.1") {
    std::promise<std::optional<std::string>> dialed;
    std::unique_ptr<DialAttempt> attempt;
    threads_[0].post([&] {
      const DialTarget target{.host = host, .port = port, .tls = tls};
      attempt = dialer_.dial(target, Millis{10'000}, [&](Result<std::unique_ptr<Stream>> stream) {
        if (!stream) return dialed.set_value(stream.error().text);
        client.stream = std::move(*stream);
        client.stream->set_handler(client);
        dialed.set_value(std::nullopt);
      });
    });
    std::optional<std::string> fault = dialed.get_future().get();
    threads_.on(0, [&] { attempt.reset(); });
    return fault;
  }
  void send(std::string text) {
    threads_.on(0, [&] {
      client.to_send = std::move(text);
      client.sent = 0;
      client.send();
    });
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
  void echo(const std::string& text) {
    client.got.clear();
    send(text);
    until([&] { return client.got.size() >= text.size(); });
    EXPECT_TRUE(client.got == text);
  }

  const CertificateAuthority authority_;
  Threads threads_{1};
  TcpDialer dialer_{threads_[0]};
  Client client;
};

TEST_F(TlsStreamTest, BytesGoBothWaysUnderACertificateThatIsTrusted) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate);
  ASSERT_EQ(connect(peer.port(), {.ca_file = authority_.file()}), std::nullopt);
  echo("hello");
  EXPECT_TRUE(client.stream->peer().loopback);
}

TEST_F(TlsStreamTest, AnOlderPeerIsUnderstood) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate, {.version = TLS1_2_VERSION});
  ASSERT_EQ(connect(peer.port(), {.ca_file = authority_.file()}), std::nullopt);
  echo("hello");
}

TEST_F(TlsStreamTest, TheNameIsSentAndChecked) {
  const auto certificate = authority_.issue("DNS:redis.example");
  TlsPeer peer(*certificate);
  ASSERT_EQ(connect(peer.port(), {.server_name = "redis.example", .ca_file = authority_.file()}), std::nullopt);
  echo("hello");
  EXPECT_EQ(peer.asked_name(), "redis.example");
}

TEST_F(TlsStreamTest, AnotherNameIsRefused) {
  const auto certificate = authority_.issue("DNS:redis.example,IP:127.0.0.2");
  TlsPeer peer(*certificate);
  EXPECT_EQ(connect(peer.port(), {.server_name = "other.example", .ca_file = authority_.file()}),
            "the server's certificate is refused: hostname mismatch");
  EXPECT_EQ(connect(peer.port(), {.ca_file = authority_.file()}), "the server's certificate is refused: IP address mismatch");
}

TEST_F(TlsStreamTest, AnAuthorityThatIsNotKnownIsRefused) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate);
  const CertificateAuthority other;
  const std::optional<std::string> fault = connect(peer.port(), {.ca_file = other.file()});
  ASSERT_TRUE(fault);
  EXPECT_TRUE(fault->starts_with("the server's certificate is refused: ")) << *fault;
  EXPECT_TRUE(connect(peer.port(), {})) << "the system's authorities do not know it either";
}

TEST_F(TlsStreamTest, NothingIsCheckedWhereThatIsWanted) {
  const auto certificate = authority_.issue("DNS:redis.example");
  TlsPeer peer(*certificate);
  ASSERT_EQ(connect(peer.port(), {.verify = false}), std::nullopt);
  echo("hello");
}

TEST_F(TlsStreamTest, AClientShowsItsCertificate) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate, {.client_ca = authority_.file(), .version = TLS1_2_VERSION});
  EXPECT_TRUE(connect(peer.port(), {.ca_file = authority_.file()})) << "without one it is refused";
  const auto mine = authority_.issue("DNS:me");
  ASSERT_EQ(connect(peer.port(),
                    {.ca_file = authority_.file(), .certificate_file = mine->certificate.path(), .key_file = mine->key.path()}),
            std::nullopt);
  echo("hello");
}

TEST_F(TlsStreamTest, FilesThatCannotBeUsedAreNamed) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate);
  EXPECT_TRUE(connect(peer.port(), {.ca_file = "/nowhere"})->starts_with("the file of authorities /nowhere cannot be used"));
  EXPECT_TRUE(connect(peer.port(), {.certificate_file = "/nowhere"})->starts_with("the certificate /nowhere cannot be used"));
  EXPECT_TRUE(connect(peer.port(), {.certificate_file = certificate->certificate.path(), .key_file = "/nowhere"})
                  ->starts_with("the key /nowhere cannot be used"));
}

TEST_F(TlsStreamTest, MuchThatIsWrittenIsTakenAsThereIsRoom) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate);
  ASSERT_EQ(connect(peer.port(), {.ca_file = authority_.file()}), std::nullopt);
  std::string big(30 << 20, 'x');
  for (std::size_t i = 0; i < big.size(); i += 997) big[i] = static_cast<char>('a' + i / 997 % 26);
  echo(big);
  EXPECT_GT(client.short_writes, 0);
}

TEST_F(TlsStreamTest, WhoPausesHearsTheRestWhenItGoesOn) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate);
  ASSERT_EQ(connect(peer.port(), {.ca_file = authority_.file()}), std::nullopt);
  client.pauses = true;
  const std::string text(200'000, 'p');
  send(text);
  until([&] { return client.paused; });
  std::size_t while_paused = 0;
  threads_.on(0, [&] { while_paused = client.got.size(); });
  EXPECT_LT(while_paused, text.size());
  threads_.on(0, [&] { client.stream->resume_reading(); });
  until([&] { return client.got.size() == text.size(); });
}

TEST_F(TlsStreamTest, AnEndThatIsSaidIsAnEnd) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate, {.goodbye = true});
  ASSERT_EQ(connect(peer.port(), {.ca_file = authority_.file()}), std::nullopt);
  send("hello");
  until([&] { return client.story.starts_with("end "); });
  EXPECT_EQ(client.got, "bye");
}

TEST_F(TlsStreamTest, WhoWritesNoMoreStillReads) {
  const auto certificate = authority_.issue("IP:127.0.0.1");
  TlsPeer peer(*certificate);
  ASSERT_EQ(connect(peer.port(), {.ca_file = authority_.file()}), std::nullopt);
  const std::string text(1 << 20, 'l');
  threads_.on(0, [&] {
    client.to_send = text;
    client.send();
  });
  until([&] { return client.sent == text.size(); });
  threads_.on(0, [&] { client.stream->shutdown_write(); });
  until([&] { return client.story.starts_with("end "); });
  EXPECT_EQ(client.got.size(), text.size());
}

}  // namespace
}  // namespace carillon
