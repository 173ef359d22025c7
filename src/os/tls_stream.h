// TlsStream: the client's side of TLS over any stream, by OpenSSL's memory BIOs. On the carrier's loop only.
//
// It begins with the handshake; written to and read from after that. What a write encrypted and the carrier did not take waits
// here, at most kEncryptAhead and its overhead.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "base/dialer.h"
#include "base/loop.h"
#include "base/stream.h"
#include "base/unique_function.h"
#include "carillon/result.h"

namespace carillon {

class TlsStream final : public Stream, private StreamHandler {
 public:
  static constexpr std::size_t kEncryptAhead = 256 << 10;

  // `host` is what was asked for: sent (SNI, where it is a name) and checked, unless the settings say another name.
  // Errors: kUnavailable: a file of the settings cannot be read or used.
  static Result<std::unique_ptr<TlsStream>> create(Loop& loop, std::unique_ptr<Stream> carrier, const DialTls& settings,
                                                   const std::string& host);
  ~TlsStream() override;

  // `shaken` is called once, inside a call of the carrier or in a later turn, unless the stream is closed before. Errors:
  // kUnavailable: the peer's certificate is refused, or the peer broke off.
  void shake_hands(UniqueFunction<void(Result<void>)> shaken);

  void set_handler(StreamHandler& handler) override;
  std::size_t write(std::span<const std::string_view> pieces) override;
  void pause_reading() override;
  void resume_reading() override;
  void shutdown_write() override;
  void close() override;
  PeerAddress peer() const override { return carrier_->peer(); }

 private:
  enum class State : std::uint8_t { kNew, kHandshake, kOpen, kClosed };
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  using Context = std::unique_ptr<SSL_CTX, FreeContext>;

  TlsStream(Loop& loop, std::unique_ptr<Stream> carrier) : loop_(loop), carrier_(std::move(carrier)) {}
  static Result<Context> make_context(const DialTls& settings);
  Result<void> prepare(const DialTls& settings, const std::string& host);

  void on_bytes(std::span<char> bytes) override;
  void on_end() override;
  void on_writable() override;
  void on_lost() override;

  void go_on_with_handshake();
  void finish_handshake(Result<void> result);
  std::string handshake_fault() const;
  std::size_t encrypt(std::string_view bytes);
  void decrypt();
  void decrypt_later();
  void tell_end();
  void tell_lost();
  void send_encrypted();

  Loop& loop_;
  const std::unique_ptr<Stream> carrier_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  BIO* from_peer_ = nullptr;  // The SSL's, as the next.
  BIO* to_peer_ = nullptr;
  const std::shared_ptr<TlsStream*> self_ = std::make_shared<TlsStream*>(this);  // For what is posted.
  StreamHandler* handler_ = nullptr;
  UniqueFunction<void(Result<void>)> shaken_;
  std::string encrypted_;  // What the carrier has not taken yet.
  State state_ = State::kNew;
  bool paused_ = false;
  bool ended_ = false;  // The peer sends nothing more, and the handler knows.
  bool carrier_ended_ = false;
  bool wants_write_ = false;  // A write was short.
  bool shut_down_ = false;    // Nothing more is written, once encrypted_ is sent.
};

}  // namespace carillon
