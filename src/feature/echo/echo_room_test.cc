#include "feature/echo/echo_room.h"

#include <gtest/gtest.h>

#include "protocol/exchange_double.h"

namespace carillon {
namespace {

// Takes nothing while `stuck`; frames are the kind's letter and the message.
class LinkDouble final : public Link {
 public:
  const Encoding& framed(const Encoding& inner, MessageKind) override { return inner; }
  void append_framed(std::string& out, std::string_view message, MessageKind) override { out += message; }
  FramePtr frame(std::string_view message, MessageKind kind) override {
    return Frame::make(memory_, (kind == MessageKind::kText ? "t" : "b") + std::string(message), {});
  }
  void flush() override {
    while (!stuck && !dialog->outbox().empty()) sent.emplace_back(dialog->outbox().pop()->bytes());
  }
  void close(std::uint16_t code, std::string_view) override { closed = code; }
  PeerAddress peer() const override { return {}; }

  Dialog* dialog = nullptr;
  std::vector<std::string> sent;
  bool stuck = false;
  std::uint16_t closed = 0;

 private:
  FrameMemory memory_;
};

class EchoRoomTest : public testing::Test {
 protected:
  EchoRoomTest() { room_.add_routes(routes_); }

  std::unique_ptr<Dialog> connect() {
    const auto answer = routes_.ask("GET", "/echo", "", {{"Connection", "keep-alive, Upgrade"}, {"Upgrade", "WebSocket"}});
    EXPECT_TRUE(answer->websocket);
    auto dialog = answer->websocket(link_);
    link_.dialog = dialog.get();
    return dialog;
  }

  EchoRoom room_{EchoOptions{.outbox_bytes_max = 10}};
  RoutesDouble routes_;
  LinkDouble link_;
};

TEST_F(EchoRoomTest, MessagesComeBackAsTheyCame) {
  const auto dialog = connect();
  dialog->on_message("hello", MessageKind::kText);
  dialog->on_message(std::string_view("\0\xff", 2), MessageKind::kBinary);
  dialog->on_message("", MessageKind::kText);
  EXPECT_EQ(link_.sent, (std::vector<std::string>{"thello", std::string("b\0\xff", 3), "t"}));
  EXPECT_EQ(link_.closed, 0);
  dialog->on_link_closed();
}

TEST_F(EchoRoomTest, WhoSendsWithoutReadingIsClosed) {
  const auto dialog = connect();
  link_.stuck = true;
  dialog->on_message("123456789", MessageKind::kText);
  EXPECT_EQ(link_.closed, 0);
  dialog->on_message("", MessageKind::kText);
  EXPECT_EQ(link_.closed, 1013);
  const std::size_t waiting = dialog->outbox().bytes();
  dialog->on_message("more", MessageKind::kText);
  EXPECT_EQ(dialog->outbox().bytes(), waiting);
  dialog->on_link_closed();
}

TEST_F(EchoRoomTest, WhatWaitedLeavesWhenThereIsRoom) {
  const auto dialog = connect();
  link_.stuck = true;
  dialog->on_message("late", MessageKind::kText);
  EXPECT_TRUE(link_.sent.empty());
  link_.stuck = false;
  dialog->on_room();
  EXPECT_EQ(link_.sent, (std::vector<std::string>{"tlate"}));
  dialog->on_link_closed();
}

TEST_F(EchoRoomTest, BodiesComeBackOnAnyMethod) {
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    const auto answer = routes_.ask(method, "/echo?x=1", "body", {{"Content-Type", "text/x-test"}});
    ASSERT_TRUE(answer->response) << method;
    EXPECT_EQ(answer->response->status, 200);
    EXPECT_EQ(answer->response->body, "body");
    EXPECT_EQ(answer->response->headers.get("Content-Type"), "text/x-test");
  }
  EXPECT_TRUE(routes_.ask("POST", "/echo", "x", {{"Upgrade", "websocket"}})->response);
  EXPECT_EQ(routes_.ask("GET", "/echo")->response->headers.get("Content-Type"), "application/octet-stream");
}

}  // namespace
}  // namespace carillon
