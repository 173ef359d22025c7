// For tests: a server of two loops, each with its Bayeux room, and clients that speak to them by HTTP and WebSocket. No time
// passes but by pass().
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/memory/hub_double.h"
#include "protocol/bayeux/bayeux.h"
#include "protocol/bayeux/bayeux_sessions.h"
#include "protocol/exchange_double.h"
#include "protocol/link_double.h"
#include "protocol/node_forward_double.h"

namespace carillon {

using Answer = std::shared_ptr<AnswerDouble>;

struct BayeuxTestSetup {
  BayeuxOptions options = {};
  BayeuxHooks hooks = {};
  World::Options in = {.loops = 2};
};

// A server of two loops, each with its room and its routes.
class BayeuxSessionsTest : public ::testing::Test {
 protected:
  explicit BayeuxSessionsTest(BayeuxTestSetup setup = {}) : world(setup.in), common(setup.options, std::move(setup.hooks), 2) {
    for (unsigned loop = 0; loop < 2; ++loop) {
      rooms.push_back(std::make_unique<BayeuxRoom>(BayeuxParts{
          .shard = *world.shards[loop],
          .random = world.random,
          .identify = [](const Exchange&, std::string_view token) -> Result<IdentityPtr> {
            if (token == "bad") return Error{ErrorKind::kUnauthorized, "no good"};
            return std::make_shared<const Identity>(Identity{.user = std::string(token), .verified = !token.empty()});
          },
          .may_use_origin = [](std::string_view origin, std::string_view) { return origin != "https://evil"; },
          .text_options = {},
          .message_bytes_max = 10'000,
          .common = common,
          .nodes = &nodes}));
      rooms.back()->add_routes(routes[loop]);
    }
  }
  ~BayeuxSessionsTest() override {
    for (Socket& socket : sockets) {
      if (socket.dialog != nullptr) socket.dialog->on_link_closed();
    }
  }

  // --- By HTTP: what is asked, and all that comes of it without time passing.

  Answer post(std::string body, unsigned loop = 0, std::vector<HttpHeaders::Field> headers = {}) {
    headers.emplace_back("Content-Type", "application/json");
    if (!cookie.empty()) headers.emplace_back("Cookie", "BAYEUX_BROWSER=" + cookie);
    Answer answer;
    world.in(loop, [&] { answer = routes[loop].ask("POST", "/cometd/x", std::move(body), std::move(headers)); });
    world.settle();
    return answer;
  }
  static std::string body(const Answer& answer) {
    return answer->response ? answer->response->body : answer->dropped ? "dropped" : "parked";
  }
  std::string said(std::string body_text, unsigned loop = 0) { return body(post(std::move(body_text), loop)); }
  std::string handshake(const std::string& more = {}, unsigned loop = 0) {
    const std::string answer = said(R"([{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":)"
                                    R"(["long-polling","websocket"])" +
                                        more + "}]",
                                    loop);
    const std::size_t from = answer.find(R"("clientId":")");
    EXPECT_NE(from, std::string::npos) << answer;
    return answer.substr(from + 12, 40);
  }
  static std::string connect_text(const std::string& client, const std::string& more = {}) {
    return R"([{"id":"c","channel":"/meta/connect","connectionType":"long-polling","clientId":")" + client + '"' + more + "}]";
  }
  Answer ask_by_form(const std::string& client) {
    Answer answer;
    world.in(0, [&] {
      answer = routes[0].ask("POST", "/cometd", "message=" + connect_text(client),
                             {{"Content-Type", "application/x-www-form-urlencoded"}});
    });
    world.settle();
    return answer;
  }
  Answer ask_by_script(const std::string& client) {
    Answer answer;
    world.in(0, [&] { answer = routes[0].ask("GET", "/cometd?jsonp=call&message=" + connect_text(client)); });
    world.settle();
    return answer;
  }
  Answer connect(const std::string& client, const std::string& more = {}, unsigned loop = 0) {
    return post(connect_text(client, more), loop);
  }
  std::string subscribe(const std::string& client, const std::string& channels, unsigned loop = 0) {
    return said(R"([{"id":"s","channel":"/meta/subscribe","clientId":")" + client + R"(","subscription":)" + channels + "}]",
                loop);
  }
  std::string publish(const std::string& client, const std::string& channel, const std::string& data = "1") {
    return said(R"([{"id":"p","channel":")" + channel + R"(","clientId":")" + client + R"(","data":)" + data + "}]");
  }
  // A client that has connected once and hears the channel.
  std::string member(const std::string& channel = "/foo/a", const std::string& more = {}, unsigned loop = 0) {
    const std::string client = handshake(more, loop);
    EXPECT_THAT(body(connect(client, {}, loop)), ::testing::HasSubstr(R"("successful":true)"));
    EXPECT_THAT(subscribe(client, '"' + channel + '"', loop), ::testing::HasSubstr(R"("successful":true)"));
    return client;
  }
  void left(const Answer& answer, bool sent) {
    world.in(0, [&] { answer->sent(sent); });
    world.settle();
  }
  void pass(Millis time) {
    for (auto& loop : world.loops) loop->advance(time);
    world.settle();
  }
  // As by another protocol, with the event "e".
  void publish_elsewhere(const std::string& channel, const std::string& data) {
    world.publish(channel, data);
    world.settle();
  }

  // --- By WebSocket

  struct Socket {
    unsigned loop;
    std::unique_ptr<LinkDouble> link;
    std::unique_ptr<Dialog> dialog;
  };
  Socket& open_socket(unsigned loop = 0, std::vector<HttpHeaders::Field> headers = {}) {
    headers.emplace_back("Upgrade", "websocket");
    Answer answer;
    world.in(loop, [&] { answer = routes[loop].ask("GET", "/cometd", {}, headers); });
    EXPECT_TRUE(answer->websocket);
    auto link = std::make_unique<LinkDouble>(world.shards[loop]->frame_memory());
    std::unique_ptr<Dialog> dialog = answer->websocket(*link);
    link->dialog = dialog.get();
    return sockets.emplace_back(Socket{loop, std::move(link), std::move(dialog)});
  }
  std::vector<std::string> say(Socket& socket, const std::string& text) {
    world.in(socket.loop, [&] { socket.dialog->on_message(text, MessageKind::kText); });
    world.settle();
    return socket.link->received();
  }
  void lose(Socket& socket) {
    world.in(socket.loop, [&] { socket.dialog->on_link_closed(); });
    socket.link->open = false;
    world.settle();
  }

  static constexpr const char* kTold = R"({"id":"c","channel":"/meta/connect","successful":true})";

  World world;
  NodeForwardDouble nodes;
  BayeuxCommon common;
  RoutesDouble routes[2];
  std::vector<std::unique_ptr<BayeuxRoom>> rooms;
  std::deque<Socket> sockets;
  std::string cookie;
};

}  // namespace carillon
