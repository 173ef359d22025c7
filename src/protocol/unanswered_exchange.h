// UnansweredExchange: a request to be looked at, as by Identify, where there is no exchange that shows it: a token came in a
// message, or part of what was asked is not to be seen. It cannot be answered, and nothing ever happens to it. One thread at a
// time.
#pragma once

#include <utility>

#include "protocol/exchange.h"

namespace carillon {

class UnansweredExchange final : public Exchange {
 public:
  UnansweredExchange(HttpRequest request, PeerAddress peer, PathValues path_values = {})
      : request_(std::move(request)), peer_(std::move(peer)), path_values_(std::move(path_values)) {}

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

}  // namespace carillon
