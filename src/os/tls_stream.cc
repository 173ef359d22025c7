#include "os/tls_stream.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

namespace carillon {
namespace {

constexpr std::size_t kRecordBytes = 16 << 10;

bool is_address(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// What OpenSSL noted last, and nothing is noted any more.
std::string last_fault() {
  const unsigned long fault = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = fault == 0 ? nullptr : ERR_reason_error_string(fault);
  return reason == nullptr ? "unknown fault" : reason;
}

Error file_error(std::string_view what, const std::string& file) {
  return {ErrorKind::kUnavailable, fmt::format("the {} {} cannot be used: {}", what, file, last_fault())};
}

}  // namespace

Result<TlsStream::Context> TlsStream::make_context(const DialTls& settings) {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error{ErrorKind::kUnavailable, fmt::format("TLS cannot be set up: {}", last_fault())};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (settings.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_file(context.get(), settings.ca_file.c_str()) != 1) {
    return file_error("file of authorities", settings.ca_file);
  }
  if (!settings.certificate_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), settings.certificate_file.c_str()) != 1) {
      return file_error("certificate", settings.certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return file_error("key", settings.key_file);
    }
  }
  SSL_CTX_set_verify(context.get(), settings.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return context;
}

Result<std::unique_ptr<TlsStream>> TlsStream::create(Loop& loop, std::unique_ptr<Stream> carrier, const DialTls& settings,
                                                     const std::string& host) {
  std::unique_ptr<TlsStream> stream(new TlsStream(loop, std::move(carrier)));
  stream->carrier_->set_handler(*stream);
  if (Result<void> prepared = stream->prepare(settings, host); !prepared) {
    stream->close();
    return prepared.error();
  }
  return stream;
}

TlsStream::~TlsStream() {
  *self_ = nullptr;
}

Result<void> TlsStream::prepare(const DialTls& settings, const std::string& host) {
  Result<Context> context = make_context(settings);
  if (!context) return context.error();
  ssl_.reset(SSL_new(context->get()));
  from_peer_ = BIO_new(BIO_s_mem());
  to_peer_ = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl_.get(), from_peer_, to_peer_);
  SSL_set_connect_state(ssl_.get());
  const std::string& name = settings.server_name.empty() ? host : settings.server_name;
  const bool address = is_address(name);
  if (!address && SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) != 1) {
    return Error{ErrorKind::kUnavailable, fmt::format("{} is no name of a server", name)};
  }
  if (!settings.verify) return {};
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int set = address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str())
                          : X509_VERIFY_PARAM_set1_host(wanted, name.data(), name.size());
  if (set != 1) return Error{ErrorKind::kUnavailable, fmt::format("{} is no name of a server", name)};
  return {};
}

void TlsStream::shake_hands(UniqueFunction<void(Result<void>)> shaken) {
  shaken_ = std::move(shaken);
  state_ = State::kHandshake;
  go_on_with_handshake();
}

void TlsStream::go_on_with_handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  const int fault = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
  std::string text = fault == SSL_ERROR_NONE || fault == SSL_ERROR_WANT_READ ? std::string() : handshake_fault();
  send_encrypted();  // An alert too.
  if (fault == SSL_ERROR_NONE) return finish_handshake({});
  if (fault != SSL_ERROR_WANT_READ) finish_handshake(Error{ErrorKind::kUnavailable, std::move(text)});
}

std::string TlsStream::handshake_fault() const {
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified == X509_V_OK || SSL_get_verify_mode(ssl_.get()) == SSL_VERIFY_NONE) {
    return fmt::format("the TLS handshake failed: {}", last_fault());
  }
  ERR_clear_error();
  return fmt::format("the server's certificate is refused: {}", X509_verify_cert_error_string(verified));
}

void TlsStream::finish_handshake(Result<void> result) {
  if (result) {
    state_ = State::kOpen;
  } else {
    close();
  }
  std::exchange(shaken_, {})(std::move(result));
  if (state_ == State::kOpen) decrypt_later();
}

void TlsStream::set_handler(StreamHandler& handler) {
  handler_ = &handler;
}

std::size_t TlsStream::write(std::span<const std::string_view> pieces) {
  std::size_t taken = 0;
  for (const std::string_view piece : pieces) {
    const std::size_t encrypted = encrypt(piece);
    taken += encrypted;
    if (encrypted == piece.size()) continue;
    wants_write_ = state_ == State::kOpen;
    break;
  }
  send_encrypted();
  return taken;
}

// As far as may be encrypted ahead of the carrier.
std::size_t TlsStream::encrypt(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && state_ == State::kOpen && !shut_down_) {
    if (BIO_ctrl_pending(to_peer_) >= kEncryptAhead) send_encrypted();
    if (!encrypted_.empty()) break;
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_.get(), bytes.data() + taken, std::min(bytes.size() - taken, kRecordBytes), &written) != 1) break;
    taken += written;
  }
  return taken;
}

void TlsStream::send_encrypted() {
  if (state_ == State::kClosed || !encrypted_.empty()) return;
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(to_peer_, &bytes);
  if (count > 0) {
    const std::string_view all(bytes, static_cast<std::size_t>(count));
    const std::size_t taken = carrier_->write({&all, 1});
    encrypted_ = all.substr(taken);
    BIO_reset(to_peer_);
  }
  if (encrypted_.empty() && shut_down_) carrier_->shutdown_write();
}

void TlsStream::on_writable() {
  if (state_ == State::kClosed) return;
  const std::string_view rest = encrypted_;
  encrypted_.erase(0, carrier_->write({&rest, 1}));
  if (!encrypted_.empty()) return;
  send_encrypted();
  if (!encrypted_.empty() || !std::exchange(wants_write_, false)) return;
  if (handler_ != nullptr) handler_->on_writable();
}

void TlsStream::on_bytes(std::span<char> bytes) {
  BIO_write(from_peer_, bytes.data(), static_cast<int>(bytes.size()));
  if (state_ == State::kHandshake) return go_on_with_handshake();
  if (state_ == State::kOpen) decrypt();
}

// Hands on what is whole. The handler may pause or close the stream in any call.
void TlsStream::decrypt() {
  std::array<char, kRecordBytes> buffer;
  while (state_ == State::kOpen && handler_ != nullptr && !paused_ && !ended_) {
    ERR_clear_error();
    std::size_t got = 0;
    if (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got) == 1) {
      handler_->on_bytes({buffer.data(), got});
      continue;
    }
    const int fault = SSL_get_error(ssl_.get(), 0);
    send_encrypted();  // Reading may have led to an answer (a change of keys).
    if (fault == SSL_ERROR_ZERO_RETURN) return tell_end();
    if (fault != SSL_ERROR_WANT_READ) return tell_lost();
    if (carrier_ended_) tell_end();
    return;
  }
}

// What came with the end of the handshake, or while reading was paused.
void TlsStream::decrypt_later() {
  loop_.post([self = self_] {
    if (*self != nullptr) (*self)->decrypt();
  });
}

void TlsStream::tell_end() {
  ended_ = true;
  handler_->on_end();
}

void TlsStream::tell_lost() {
  close();
  if (handler_ != nullptr) handler_->on_lost();
}

void TlsStream::on_end() {
  carrier_ended_ = true;
  if (state_ == State::kHandshake) {
    return finish_handshake(Error{ErrorKind::kUnavailable, "the server broke off the TLS handshake"});
  }
  if (state_ == State::kOpen) decrypt();
}

void TlsStream::on_lost() {
  if (state_ == State::kHandshake) {
    return finish_handshake(Error{ErrorKind::kUnavailable, "the connection was lost in the TLS handshake"});
  }
  if (state_ == State::kOpen) tell_lost();
}

void TlsStream::pause_reading() {
  paused_ = true;
  carrier_->pause_reading();
}

void TlsStream::resume_reading() {
  if (!std::exchange(paused_, false)) return;
  carrier_->resume_reading();
  decrypt_later();
}

void TlsStream::shutdown_write() {
  if (state_ != State::kOpen || shut_down_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  shut_down_ = true;
  send_encrypted();
}

void TlsStream::close() {
  state_ = State::kClosed;
  carrier_->close();
}

}  // namespace carillon
