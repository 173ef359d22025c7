#include "protocol/bayeux/bayeux_visitor.h"

namespace carillon {
namespace {

// A request that says nothing, for who looks at the token alone. It cannot be answered.
class SilentExchange final : public Exchange {
 public:
  explicit SilentExchange(const PeerAddress& peer) : peer_(peer) {}

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override { return peer_; }
  const PathValues& path_values() const override { return path_values_; }

 private:
  void on_gone(Task) override {}
  void on_drain(Task) override {}
  void reply(HttpResponse, ReplySent) override {}
  void open_stream(HttpResponse, StreamOptions, OpenDialog) override {}
  void accept_websocket(WebSocketAcceptance, OpenDialog) override {}

  const HttpRequest request_;
  const PeerAddress peer_;
  const PathValues path_values_;
};

}  // namespace

BayeuxVisitor look_at_visitor(const Exchange& exchange, const Identify& identify, bool with_headers) {
  BayeuxVisitor visitor{.identity = identify(exchange, {}), .peer = exchange.peer()};
  visitor.user_agent = exchange.request().headers.get("User-Agent");
  if (with_headers) visitor.headers = exchange.request().headers.fields().copy();
  return visitor;
}

Result<IdentityPtr> identify_by_token(const Identify& identify, const PeerAddress& peer, std::string_view token) {
  return identify(SilentExchange(peer), token);
}

}  // namespace carillon
