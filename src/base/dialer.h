// Dialer: opens connections to other programs, whatever carries them (TCP, TLS, simulated). One loop's; used on it only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "base/stream.h"
#include "base/unique_function.h"
#include "carillon/result.h"

namespace carillon {

// How a connection is protected (TLS 1.2 or later). The peer's certificate and name are checked unless `verify` is off.
struct DialTls {
  std::string server_name;       // Sent (SNI) and checked; empty: the host.
  std::string ca_file;           // PEM; empty: the system's authorities.
  std::string certificate_file;  // PEM, shown to the peer; empty: none.
  std::string key_file;          // PEM, of the certificate.
  bool verify = true;
};

struct DialTarget {
  std::string host;  // A name, or an address without brackets.
  std::uint16_t port = 0;
  std::optional<DialTls> tls;
};

// An attempt under way; its end gives it up, and no answer comes then.
class DialAttempt {
 public:
  virtual ~DialAttempt() = default;
};

class Dialer {
 public:
  virtual ~Dialer() = default;

  // `done` is called once, never inside the call, with a stream that is ready to be written to (behind the TLS handshake).
  // Errors: kUnavailable, with a text that says what failed: the name, the connection, the certificate, the time.
  using Dialed = UniqueFunction<void(Result<std::unique_ptr<Stream>>)>;
  virtual std::unique_ptr<DialAttempt> dial(const DialTarget& target, Millis timeout, Dialed done) = 0;
};

}  // namespace carillon
