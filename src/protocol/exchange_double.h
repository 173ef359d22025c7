// Doubles of the HTTP ports for tests: requests are asked of a RoutesDouble, answers are read from what it returns, and what
// happens to a client that waits is said to it. One thread, one loop.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "protocol/exchange.h"
#include "wire/http/http_syntax.h"

namespace carillon {

// What became of one exchange; outlives it.
class AnswerDouble {
 public:
  std::optional<HttpResponse> response;
  ReplySent sent;        // Set when the owner asked whether the answer has left; the test says so.
  OpenDialog websocket;  // Set when the handshake was accepted.
  WebSocketAcceptance acceptance;
  bool dropped = false;  // The exchange was destroyed without an answer.

  bool parked() const { return !response && !websocket && !dropped; }
  // What the exchange's owner hears while it is parked. Each once.
  void leave() { tell(gone_, gone_hook_); }
  void drain() { tell(draining_, drain_hook_); }

 private:
  friend class ExchangeDouble;

  // The hook may destroy the exchange.
  void tell(bool& happened, Task& hook) {
    happened = true;
    if (Task taken = std::exchange(hook, {})) taken();
  }
  void set_hook(bool happened, Task& place, Task hook) {
    if (happened) return hook();
    place = std::move(hook);
  }
  void forget_hooks() {
    gone_hook_ = {};
    drain_hook_ = {};
  }

  Task gone_hook_;
  Task drain_hook_;
  bool gone_ = false;
  bool draining_ = false;
};

class ExchangeDouble final : public Exchange {
 public:
  ExchangeDouble(HttpRequest request, PeerAddress peer, PathValues values, std::shared_ptr<AnswerDouble> answer)
      : request_(std::move(request)), peer_(std::move(peer)), values_(std::move(values)), answer_(std::move(answer)) {}
  ~ExchangeDouble() override {
    answer_->dropped = !answered_;
    answer_->forget_hooks();
  }

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override { return peer_; }
  const PathValues& path_values() const override { return values_; }
  void on_gone(Task hook) override {
    if (!answered_) answer_->set_hook(answer_->gone_, answer_->gone_hook_, std::move(hook));
  }
  void on_drain(Task hook) override {
    if (!answered_) answer_->set_hook(answer_->draining_, answer_->drain_hook_, std::move(hook));
  }
  using Exchange::reply;
  void reply(HttpResponse response, ReplySent sent) override {
    take_answer();
    answer_->response = std::move(response);
    answer_->sent = std::move(sent);
  }
  void open_stream(HttpResponse head, StreamOptions, OpenDialog) override { reply(std::move(head)); }
  void accept_websocket(WebSocketAcceptance acceptance, OpenDialog open) override {
    take_answer();
    answer_->acceptance = std::move(acceptance);
    answer_->websocket = std::move(open);
  }

 private:
  void take_answer() {
    CHECK(!std::exchange(answered_, true));
    answer_->forget_hooks();
  }

  HttpRequest request_;
  PeerAddress peer_;
  PathValues values_;
  std::shared_ptr<AnswerDouble> answer_;
  bool answered_ = false;
};

class RoutesDouble final : public Routes {
 public:
  struct Route {
    std::string method;
    std::string path;
    RouteHandler handler;
  };

  void add(std::string_view method, std::string_view path, RouteHandler handler) override {
    routes.push_back({std::string(method), std::string(path), std::move(handler)});
  }

  // Asks the first route that fits; stops the process when there is none.
  std::shared_ptr<AnswerDouble> ask(std::string_view method, std::string_view target, std::string body = {},
                                    std::vector<HttpHeaders::Field> headers = {}) {
    HttpRequest request;
    request.method = method;
    request.target = target;
    const std::string_view path = target.substr(0, target.find('?'));
    if (path.size() < target.size()) request.query = target.substr(path.size() + 1);
    request.path = decoded(path);
    request.body = std::move(body);
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    for (Route& route : routes) {
      PathValues values;
      if ((route.method != "*" && route.method != method) || !fits(route.path, path, values)) continue;
      auto answer = std::make_shared<AnswerDouble>();
      route.handler(std::make_unique<ExchangeDouble>(std::move(request), peer, std::move(values), answer));
      return answer;
    }
    CHECK(false);  // No route for the request.
    return nullptr;
  }

  std::vector<Route> routes;
  PeerAddress peer{.text = "127.0.0.1:40000", .loopback = true};

 private:
  static std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool escape = text[i] == '%' && i + 2 < text.size();
      out += escape ? static_cast<char>(hex_digit_value(text[i + 1]) * 16 + hex_digit_value(text[i + 2])) : text[i];
      if (escape) i += 2;
    }
    return out;
  }

  static std::string_view take_segment(std::string_view& path) {
    path.remove_prefix(std::min<std::size_t>(1, path.size()));
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
  }

  static bool fits(std::string_view pattern, std::string_view path, PathValues& values) {
    while (!pattern.empty() && !path.empty()) {
      const std::string_view wanted = take_segment(pattern);
      const std::string_view segment = take_segment(path);
      if (wanted.starts_with('{')) {
        if (segment.empty()) return false;
        values.emplace_back(wanted.substr(1, wanted.size() - 2), decoded(segment));
      } else if (wanted != decoded(segment)) {
        return false;
      }
    }
    return pattern.empty() && path.empty();
  }
};

}  // namespace carillon
