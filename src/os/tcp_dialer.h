// TcpDialer: opens TCP connections, with TLS where that is wanted, on an EpollLoop.
//
// 1. The host is an address, or a name that is looked up (getaddrinfo) on a thread of its own, which posts back; that may take
//    as long as the resolver likes, so an attempt that was given up leaves its thread behind until then.
// 2. The addresses are tried one after the other, each with its share of the time that is left.
// 3. With TLS: the handshake (os/tls_stream.h). Certificates and authorities are read from their files for each connection, so
//    renewed ones are used.
//
// On the loop's thread only, or before it runs and after it ended. Attempts may outlive the dialer; the loop outlives both.
#pragma once

#include <memory>

#include "base/dialer.h"
#include "os/epoll_loop.h"

namespace carillon {

class TcpDialer final : public Dialer {
 public:
  // Names looked up at the same time by one dialer; beyond it attempts fail with kUnavailable.
  static constexpr int kLookupsMax = 32;

  explicit TcpDialer(EpollLoop& loop);
  ~TcpDialer() override;

  std::unique_ptr<DialAttempt> dial(const DialTarget& target, Millis timeout, Dialed done) override;

  class Lookups;

 private:
  EpollLoop& loop_;
  const std::shared_ptr<Lookups> lookups_;
};

}  // namespace carillon
