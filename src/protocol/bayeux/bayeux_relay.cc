#include "protocol/bayeux/bayeux_relay.h"

#include <algorithm>
#include <utility>

#include "protocol/bayeux/bayeux_sessions.h"

namespace carillon {
namespace {

// A newer connect has taken the place of this one; its own answer is the one that counts.
constexpr int kSuperseded = 409;

// A newer one ends an older there, which is told soon. So a client that sends connect after connect takes no more of what all
// forwarded requests share.
constexpr std::size_t kConnectsMax = 2;

}  // namespace

// One request. Whoever holds it answers it, unless its relay has ended.
class BayeuxRelay::Asked final : public Exchange {
 public:
  Asked(BayeuxRelay& relay, HttpRequest request, bool connect)
      : relay_(&relay), request_(std::move(request)), connect_(connect) {
    relay.asked_.push_back(this);
  }
  ~Asked() override { leave(); }

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override { return relay_ == nullptr ? PeerAddress() : relay_->client_.peer; }
  const PathValues& path_values() const override { return path_values_; }
  bool connect() const { return connect_; }

  // The relay, if there is one to be told; from then on it is not.
  BayeuxRelay* leave() {
    if (relay_ != nullptr) std::erase(relay_->asked_, this);
    return std::exchange(relay_, nullptr);
  }
  // Whoever holds it may destroy it now.
  void be_gone() {
    leave();
    if (Task hook = std::move(gone_)) hook();
  }

  void on_gone(Task hook) override { gone_ = std::move(hook); }
  // The socket closes then, which is told by the other.
  void on_drain(Task) override {}
  void reply(HttpResponse response, ReplySent sent) override {
    if (BayeuxRelay* const relay = leave()) relay->on_answer(response, connect_);
    if (sent) sent(true);
  }
  void open_stream(HttpResponse, StreamOptions, OpenDialog) override {}
  void accept_websocket(WebSocketAcceptance, OpenDialog) override {}

 private:
  BayeuxRelay* relay_;
  const HttpRequest request_;
  const PathValues path_values_;
  const bool connect_;
  Task gone_;
};

BayeuxRelay::BayeuxRelay(BayeuxSessions& owner, BayeuxLine& line, std::uint16_t node, Client client)
    : owner_(owner), line_(line), node_(node), client_(std::move(client)) {}

void BayeuxRelay::end() {
  waiting_.clear();
  waiting_connect_.clear();
  while (!asked_.empty()) asked_.back()->be_gone();
}

Result<void> BayeuxRelay::take(std::string_view text) {
  const auto messages = owner_.reader().read(text);
  if (!messages) return messages.error();
  if (messages->size() == 1 && messages->front().channel == kBayeuxConnect) {
    waiting_connect_ = text;  // One that waited is superseded.
    send_connect();
    return {};
  }
  if (!waiting_.empty() && waiting_bytes_ + text.size() > owner_.shard().hub().options().outbox_bytes_max) {
    return Error{ErrorKind::kLimit, "more messages wait for the server of this session than are kept"};
  }
  waiting_.push_back({std::string(text), messages->size()});
  waiting_bytes_ += text.size();
  send_next();
  return {};
}

void BayeuxRelay::send_connect() {
  if (waiting_connect_.empty() || connects_ >= kConnectsMax) return;
  ++connects_;
  forward(std::exchange(waiting_connect_, {}), true);
}

// All that waits, as far as one request may hold it.
void BayeuxRelay::send_next() {
  if (busy_ || waiting_.empty()) return;
  std::vector<std::string> texts;
  std::size_t bytes = 0, messages = 0;
  while (!waiting_.empty()) {
    const Waiting& next = waiting_.front();
    bytes += next.text.size() + 1;
    messages += next.messages;
    const bool fits = bytes <= owner_.parts().message_bytes_max && messages <= owner_.common().options.batch_max;
    if (!texts.empty() && !fits) break;
    waiting_bytes_ -= next.text.size();
    texts.push_back(std::move(waiting_.front().text));
    waiting_.pop_front();
  }
  busy_ = true;
  forward(joined_texts(texts), false);
}

void BayeuxRelay::forward(std::string text, bool connect) {
  const auto back = [](ExchangePtr given, NodeForward::Unanswered why) {
    Asked& asked = static_cast<Asked&>(*given);
    BayeuxRelay* const relay = asked.leave();
    if (relay == nullptr || why == NodeForward::Unanswered::kDraining) return;
    relay->on_not_there(asked.request().body, asked.connect());
  };
  owner_.parts().nodes->forward(node_, std::make_unique<Asked>(*this, request_of(std::move(text)), connect), back);
}

HttpRequest BayeuxRelay::request_of(std::string text) const {
  HttpRequest request;
  request.method = "POST";
  request.target = request.path = owner_.common().options.path;
  request.headers.add("Content-Type", "application/json;charset=UTF-8");
  if (!client_.cookie.empty()) request.headers.add("Cookie", std::string(kBayeuxCookie) + '=' + client_.cookie);
  request.body = std::move(text);
  return request;
}

void BayeuxRelay::on_answer(const HttpResponse& answer, bool connect) {
  if (answer.status == 200) {
    line_.send_array(answer.body);
    line_.flush();
  } else if (answer.status != kSuperseded) {
    return line_.close(kCloseInternalError, answer.body);
  }
  on_done(connect);
}

void BayeuxRelay::on_not_there(const std::string& text, bool connect) {
  const Result<void> taken = owner_.take(line_, text, nullptr);
  if (!taken) return line_.close(kCloseInternalError, taken.error().text);
  on_done(connect);
}

void BayeuxRelay::on_done(bool connect) {
  if (connect) {
    --connects_;
    return send_connect();
  }
  busy_ = false;
  send_next();
}

}  // namespace carillon
