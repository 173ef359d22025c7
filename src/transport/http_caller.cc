#include "transport/http_caller.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"

namespace carillon {
namespace {

std::string name_of(const DialTarget& to) {
  return to.host + ' ' + std::to_string(to.port) + (to.tls ? " tls" : "");
}

}  // namespace

// One connection: being opened, with a call, or kept.
class HttpCaller::Link final : public StreamHandler, public Disposable, private Timer {
 public:
  Link(HttpCaller& caller, std::string name) : caller_(caller), name_(std::move(name)) {}
  // A stream without a handler may not be left open.
  ~Link() override { close_stream(); }

  const std::string& name() const { return name_; }
  std::list<std::unique_ptr<Link>>::iterator place;

  void dial(Call& call) {
    call_ = &call;
    call.link_ = this;
    attempt_ = caller_.dialer_.dial(call.to_, caller_.options_.connect_time,
                                    [this](Result<std::unique_ptr<Stream>> dialed) { on_dialed(std::move(dialed)); });
  }
  void carry(Call& call) {
    cancel();
    call_ = &call;
    call.link_ = this;
    begin();
  }
  // Its call is given up, or it is kept no longer.
  void close() {
    if (std::exchange(closed_, true)) return;
    cancel();
    if (call_ != nullptr) call_->link_ = nullptr;
    call_ = nullptr;
    close_stream();
    caller_.forget(*this);
  }
  void wait(Millis time) { caller_.loop_.schedule(*this, time); }

 private:
  void on_dialed(Result<std::unique_ptr<Stream>> dialed) {
    if (closed_) return;
    dialed_ = true;
    if (!dialed) return fail(dialed.error());
    stream_ = *std::move(dialed);
    stream_->set_handler(*this);
    begin();
  }
  void begin() {
    sent_ = 0;
    heard_ = false;
    parser_.emplace(HttpResponseParserOptions{.body_bytes = caller_.options_.response_bytes_max});
    on_writable();
  }

  void on_writable() override {
    if (call_ == nullptr || sent_ == call_->request_.size()) return;
    const std::string_view rest = std::string_view(call_->request_).substr(sent_);
    sent_ += stream_->write({&rest, 1});
  }
  void on_bytes(std::span<char> bytes) override {
    if (call_ == nullptr) return close();  // Nobody has asked for anything.
    heard_ = true;
    const std::size_t used = parser_->feed({bytes.data(), bytes.size()});
    if (parser_->fault() != nullptr) return fail(*parser_->fault());
    if (parser_->done()) finish(used == bytes.size() && sent_ == call_->request_.size() && parser_->keep_alive());
  }
  void on_end() override {
    if (call_ == nullptr) return close();
    parser_->feed_end();
    if (parser_->done()) return finish(false);
    on_broken();
  }
  void on_lost() override {
    if (call_ == nullptr) return close();
    on_broken();
  }
  void on_timer() override { close(); }

  void on_broken() {
    if (!used_before_ || heard_) return fail({ErrorKind::kUnavailable, "the connection ended before the answer did"});
    Call& call = *call_;
    close();
    caller_.start(call, true);
  }
  void finish(bool keep) {
    Call& call = *std::exchange(call_, nullptr);
    call.link_ = nullptr;
    HttpResponse response = parser_->response();
    parser_.reset();
    used_before_ = true;
    if (keep) {
      caller_.keep(*this);
    } else {
      close();
    }
    call.finish(std::move(response));
  }
  void fail(Error error) {
    Call& call = *call_;
    close();
    call.fail(std::move(error));
  }
  // An attempt that has called is not ended in that call.
  void close_stream() {
    if (!dialed_) attempt_.reset();
    if (stream_ != nullptr) stream_->close();
  }

  HttpCaller& caller_;
  const std::string name_;
  std::unique_ptr<DialAttempt> attempt_;
  std::unique_ptr<Stream> stream_;
  std::optional<HttpResponseParser> parser_;
  Call* call_ = nullptr;
  std::size_t sent_ = 0;
  bool dialed_ = false;
  bool heard_ = false;        // Some of the answer.
  bool used_before_ = false;  // It has carried a call.
  bool closed_ = false;
};

// --- Calls

HttpCaller::Call::Call(HttpCaller& caller, const DialTarget& to, std::string request, Answered answered)
    : caller_(caller), to_(to), request_(std::move(request)), answered_(std::move(answered)) {}

HttpCaller::Call::~Call() {
  if (link_ != nullptr) link_->close();
}

void HttpCaller::Call::on_timer() {
  if (link_ != nullptr) link_->close();
  fail(refused_ ? Error{ErrorKind::kLimit, "there are too many connections to " + to_.host + " already"}
                : Error{ErrorKind::kUnavailable, "no answer came in time"});
}

void HttpCaller::Call::fail(Error error) {
  cancel();
  Answered answered = std::move(answered_);
  answered(std::move(error));
}

void HttpCaller::Call::finish(HttpResponse response) {
  cancel();
  Answered answered = std::move(answered_);
  answered(std::move(response));
}

// --- Connections

HttpCaller::HttpCaller(Loop& loop, Dialer& dialer, const HttpCallerOptions& options)
    : loop_(loop), dialer_(dialer), options_(options) {}

HttpCaller::~HttpCaller() = default;

std::unique_ptr<HttpCaller::Call> HttpCaller::call(const DialTarget& to, std::string request, Answered answered) {
  auto call = std::make_unique<Call>(*this, to, std::move(request), std::move(answered));
  loop_.schedule(*call, options_.call_time);
  start(*call, false);
  return call;
}

void HttpCaller::start(Call& call, bool anew) {
  const std::string name = name_of(call.to_);
  Peer& peer = peers_[name];
  if (!anew && !peer.idle.empty()) {
    Link& link = *peer.idle.back();
    peer.idle.pop_back();
    return link.carry(call);
  }
  if (peer.links >= options_.connections_max) {
    call.refused_ = true;
    return loop_.schedule(call, Millis{0});
  }
  ++peer.links;
  links_.push_back(std::make_unique<Link>(*this, name));
  links_.back()->place = std::prev(links_.end());
  links_.back()->dial(call);
}

void HttpCaller::keep(Link& link) {
  Peer& peer = peers_.find(link.name())->second;
  if (peer.idle.size() >= options_.idle_max) return link.close();
  peer.idle.push_back(&link);
  link.wait(options_.idle_time);
}

void HttpCaller::forget(Link& link) {
  const auto peer = peers_.find(link.name());
  std::erase(peer->second.idle, &link);
  if (--peer->second.links == 0) peers_.erase(peer);
  std::unique_ptr<Disposable> closed = std::move(*link.place);
  links_.erase(link.place);
  loop_.dispose(std::move(closed));
}

}  // namespace carillon
