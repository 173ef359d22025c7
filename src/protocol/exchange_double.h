// Doubles of the HTTP ports for tests: requests are asked of a RoutesDouble, answers are read from what it returns. One
// thread, one loop.
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
struct AnswerDouble {
  std::optional<HttpResponse> response;
  OpenDialog websocket;  // Set when the handshake was accepted.
  WebSocketAcceptance acceptance;
  bool dropped = false;  // The exchange was destroyed without an answer.
};

class ExchangeDouble final : public Exchange {
 public:
  using PathValues = std::vector<std::pair<std::string, std::string>>;

  ExchangeDouble(HttpRequest request, PeerAddress peer, PathValues values, std::shared_ptr<AnswerDouble> answer)
      : request_(std::move(request)), peer_(std::move(peer)), values_(std::move(values)), answer_(std::move(answer)) {}
  ~ExchangeDouble() override { answer_->dropped = !answered_; }

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override { return peer_; }
  std::string_view path_value(std::string_view name) const override {
    for (const auto& [key, value] : values_) {
      if (key == name) return value;
    }
    return {};
  }
  void reply(HttpResponse response) override {
    CHECK(!std::exchange(answered_, true));
    answer_->response = std::move(response);
  }
  void open_stream(HttpResponse head, StreamOptions, OpenDialog) override { reply(std::move(head)); }
  void accept_websocket(WebSocketAcceptance acceptance, OpenDialog open) override {
    CHECK(!std::exchange(answered_, true));
    answer_->acceptance = std::move(acceptance);
    answer_->websocket = std::move(open);
  }

 private:
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
    for (auto& [name, value] : headers) request.headers.add(std::move(name), std::move(value));
    for (Route& route : routes) {
      ExchangeDouble::PathValues values;
      if ((route.method != "*" && route.method != method) || !fits(route.path, path, values)) continue;
      auto answer = std::make_shared<AnswerDouble>();
      route.handler(std::make_unique<ExchangeDouble>(std::move(request), peer, std::move(values), answer));
      return answer;
    }
    CHECK(!"a route for the request");
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

  static bool fits(std::string_view pattern, std::string_view path, ExchangeDouble::PathValues& values) {
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
