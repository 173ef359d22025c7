// For tests: a server that speaks TLS on a free port of the loopback, on a thread of its own, and says again what it is told.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "os/certificates_double.h"
#include "os/file_descriptor.h"

namespace carillon {

class TlsPeer {
 public:
  struct Options {
    std::string client_ca;  // Set: who connects has to show a certificate of this authority.
    bool goodbye = false;   // After the first bytes it says "bye" and closes, by the rules of TLS.
    int version = 0;        // TLS1_2_VERSION: no later one.
  };

  explicit TlsPeer(const CertificateAuthority::Issued& certificate) : TlsPeer(certificate, Options{}) {}
  TlsPeer(const CertificateAuthority::Issued& certificate, Options options)
      : options_(std::move(options)), context_(SSL_CTX_new(TLS_server_method())) {
    CHECK(SSL_CTX_use_certificate_chain_file(context_.get(), certificate.certificate.path().c_str()) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(context_.get(), certificate.key.path().c_str(), SSL_FILETYPE_PEM) == 1);
    if (options_.version != 0) SSL_CTX_set_max_proto_version(context_.get(), options_.version);
    if (!options_.client_ca.empty()) {
      CHECK(SSL_CTX_load_verify_file(context_.get(), options_.client_ca.c_str()) == 1);
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without asking for no signal.
    listen();
    thread_ = std::thread([this] { serve(); });
  }
  ~TlsPeer() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    const int current = current_.load();
    if (current >= 0) ::shutdown(current, SHUT_RDWR);
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  // The name that the last client asked for (SNI).
  std::string asked_name() const { return asked_name_; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void listen() {
    listening_ = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listening_.get(), 5) == 0);
    CHECK(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }

  void serve() {
    for (;;) {
      const FileDescriptor socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return;
      current_ = socket.get();
      talk(socket.get());
      current_ = -1;
    }
  }
  void talk(int socket) {
    const std::unique_ptr<SSL, Free> ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), socket);
    if (SSL_accept(ssl.get()) != 1) return;
    if (const char* const name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name)) asked_name_ = name;
    std::string bytes(64 << 10, 0);
    for (;;) {
      const int got = SSL_read(ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (got <= 0) break;
      if (options_.goodbye) {
        SSL_write(ssl.get(), "bye", 3);
        break;
      }
      if (SSL_write(ssl.get(), bytes.data(), got) != got) return;
    }
    SSL_shutdown(ssl.get());
  }

  const Options options_;
  const std::unique_ptr<SSL_CTX, Free> context_;
  FileDescriptor listening_;
  std::uint16_t port_ = 0;
  std::atomic<int> current_{-1};
  std::string asked_name_;  // Read when the client has its echo.
  std::thread thread_;
};

}  // namespace carillon
