#include "protocol/handover.h"

#include <memory>
#include <utility>

namespace carillon {
namespace {

// One thing that may happen to the client, and who wants to hear of it. Both loops hold it; only the taking one looks inside.
struct Notice {
  bool happened = false;
  Task hook;

  void set_hook(Task wanted) {
    hook = std::move(wanted);
    if (happened) call();
  }
  void tell() {
    happened = true;
    call();
  }
  // The hook may end the exchange, which clears it.
  void call() {
    if (Task taken = std::exchange(hook, {})) taken();
  }
};

struct Notices {
  Notice gone;
  Notice drain;
};

}  // namespace

// What the taking loop holds. It may also be destroyed where it was made, or after the loops, when `to` has stopped.
class HandoverDesk::RemoteExchange final : public Exchange {
 public:
  RemoteExchange(HandoverDesk& desk, std::uint64_t id, Loop& here, const Exchange& original)
      : desk_(desk),
        id_(id),
        here_(here),
        request_(original.request()),
        peer_(original.peer()),
        path_values_(original.path_values()) {}

  ~RemoteExchange() override {
    if (answered_) return;
    reply(taken_ ? HttpResponse::error(500, "internal", "the server did not answer this request")
                 : HttpResponse::error(503, "unavailable", "the server is stopping"));
  }

  void taken() { taken_ = true; }
  const std::shared_ptr<Notices>& notices() const { return notices_; }

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override { return peer_; }
  const PathValues& path_values() const override { return path_values_; }
  void on_gone(Task hook) override {
    if (!answered_) notices_->gone.set_hook(std::move(hook));
  }
  void on_drain(Task hook) override {
    if (!answered_) notices_->drain.set_hook(std::move(hook));
  }

  using Exchange::reply;
  void reply(HttpResponse response, ReplySent sent) override {
    if (std::exchange(answered_, true)) return;
    notices_->gone.hook = {};
    notices_->drain.hook = {};
    ReplySent told;
    if (sent) {
      told = [&here = here_, sent = std::move(sent)](bool left) mutable {
        here.post([left, sent = std::move(sent)]() mutable { sent(left); });
      };
    }
    desk_.loop_.post([&desk = desk_, id = id_, response = std::move(response), told = std::move(told)]() mutable {
      desk.answer(id, std::move(response), std::move(told));
    });
  }
  void open_stream(HttpResponse, StreamOptions, OpenDialog) override { refuse_to_become(); }
  void accept_websocket(WebSocketAcceptance, OpenDialog) override { refuse_to_become(); }

 private:
  void refuse_to_become() {
    reply(HttpResponse::error(500, "internal", "a request that was handed over can only be answered"));
  }

  HandoverDesk& desk_;
  const std::uint64_t id_;
  Loop& here_;
  const HttpRequest request_;
  const PeerAddress peer_;
  const PathValues path_values_;
  const std::shared_ptr<Notices> notices_ = std::make_shared<Notices>();
  bool taken_ = false;
  bool answered_ = false;
};

void HandoverDesk::hand_over(ExchangePtr exchange, Loop& to, Take take) {
  const std::uint64_t id = next_id_++;
  auto remote = std::make_unique<RemoteExchange>(*this, id, to, *exchange);
  const std::shared_ptr<Notices> notices = remote->notices();
  Exchange& kept = *waiting_.emplace(id, std::move(exchange)).first->second;
  to.post([remote = std::move(remote), take = std::move(take)]() mutable {
    remote->taken();
    take(std::move(remote));
  });
  // Behind the exchange itself, in the order of posting.
  kept.on_gone([&to, notices] { to.post([notices] { notices->gone.tell(); }); });
  kept.on_drain([&to, notices] { to.post([notices] { notices->drain.tell(); }); });
}

void HandoverDesk::answer(std::uint64_t id, HttpResponse response, ReplySent sent) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  const ExchangePtr exchange = std::move(found->second);
  waiting_.erase(found);
  exchange->reply(std::move(response), std::move(sent));
}

}  // namespace carillon
