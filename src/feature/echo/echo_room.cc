#include "feature/echo/echo_room.h"

#include <memory>
#include <utility>

namespace carillon {
namespace {

constexpr std::uint16_t kTryAgainLater = 1013;  // As registered with IANA for WebSocket close codes.

class EchoDialog final : public Dialog {
 public:
  EchoDialog(Link& link, std::size_t outbox_bytes_max) : link_(link), outbox_bytes_max_(outbox_bytes_max) {}

  Outbox& outbox() override { return outbox_; }

  void on_message(std::string_view message, MessageKind kind) override {
    if (closing_) return;
    outbox_.push(link_.frame(message, kind));
    link_.flush();
    if (outbox_.bytes() <= outbox_bytes_max_) return;
    closing_ = true;
    link_.close(kTryAgainLater, "too many echoes are waiting to be read");
  }

  void on_room() override { link_.flush(); }

  void on_link_closed() override { closing_ = true; }

 private:
  Link& link_;
  const std::size_t outbox_bytes_max_;
  Outbox outbox_;
  bool closing_ = false;
};

HttpResponse echo_of(const HttpRequest& request) {
  HttpResponse response;
  response.headers.add("Content-Type", request.headers.find("Content-Type").value_or("application/octet-stream"));
  response.headers.add("X-Content-Type-Options", "nosniff");
  response.body = request.body;
  return response;
}

}  // namespace

void EchoRoom::add_routes(Routes& routes) {
  routes.add("*", options_.path, [this](ExchangePtr exchange) { answer(std::move(exchange)); });
}

void EchoRoom::answer(ExchangePtr exchange) const {
  const HttpRequest& request = exchange->request();
  if (request.method != "GET" || !request.headers.has_token("Upgrade", "websocket")) {
    return exchange->reply(echo_of(request));
  }
  exchange->accept_websocket({}, [most = options_.outbox_bytes_max](Link& link) -> std::unique_ptr<Dialog> {
    return std::make_unique<EchoDialog>(link, most);
  });
}

}  // namespace carillon
