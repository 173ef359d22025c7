// The channel runtime inside a program: topics, members, fan-out and presence, without a server, a clock or a thread.
//
// Built outside this project it needs nothing but:  find_package(carillon)  and  target_link_libraries(… carillon::carillon)
#include <carillon/channel_runtime.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <variant>

using namespace carillon::channel_event;

namespace {

// What this example promises; a program of your own would handle the error instead.
void expect(bool as_expected, std::string_view what) {
  if (as_expected) return;
  std::cerr << "not as expected: " << what << '\n';
  std::exit(1);
}

// A program of your own sends here: a Reply and a PushMessage to one client, a BroadcastMessage to each of its recipients, a
// PresenceDiff to the topic's subscribers.
std::size_t send_all(carillon::ChannelRuntime& runtime) {
  std::size_t delivered = 0;
  for (const carillon::ChannelOutbound& outbound : runtime.flush()) {
    std::cout << "  " << carillon::channel_outbound_text(outbound) << '\n';
    if (const auto* broadcast = std::get_if<carillon::channel_outbound::BroadcastMessage>(&outbound)) {
      broadcast->recipients.for_each([&delivered](const std::string&) { ++delivered; });
    }
  }
  return delivered;
}

}  // namespace

int main() {
  carillon::ChannelRuntime runtime = carillon::ChannelRuntime::single_node();

  std::cout << "Alice comes with two tabs, Bob with one\n";
  runtime.handle(Join{.client_id = "tab-1", .topic = "room:42", .user_id = "alice", .now_ms = 1000});
  runtime.handle(Join{.client_id = "tab-2", .topic = "room:42", .user_id = "alice", .now_ms = 2000});
  runtime.handle(
      Join{.client_id = "tab-3", .topic = "room:42", .user_id = "bob", .now_ms = 3000, .meta = R"({"mood":"well"})"});
  send_all(runtime);
  expect(runtime.subscriber_count("room:42") == 3, "three clients");
  expect(runtime.presences("room:42").size() == 2, "two people");

  std::cout << "Bob says hello to everybody, and to all others\n";
  runtime.handle(Broadcast{.client_id = "tab-3", .topic = "room:42", .payload = "hello"});
  runtime.handle(Broadcast{.client_id = "tab-3", .topic = "room:42", .payload = "anybody?", .to_sender = false});
  expect(send_all(runtime) == 3 + 2, "five deliveries");

  std::cout << "Alice's first tab comes back, then leaves\n";
  runtime.handle(Rejoin{.client_id = "tab-1", .topic = "room:42", .user_id = "alice", .now_ms = 4000});
  runtime.handle(Leave{.client_id = "tab-1", .topic = "room:42"});
  send_all(runtime);
  expect(runtime.is_member("tab-2", "room:42") && !runtime.is_member("tab-1", "room:42"), "the second tab only");

  std::cout << "The topic crashes, and nothing else does\n";
  runtime.handle(Join{.client_id = "tab-2", .topic = "room:7", .user_id = "alice", .now_ms = 5000});
  runtime.handle(Crash{.reason = "out of order", .topic = "room:42"});
  runtime.handle(Broadcast{.client_id = "tab-2", .topic = "room:42", .payload = "hello?"});
  runtime.handle(Restart{.topic = "room:42"});
  send_all(runtime);
  expect(runtime.subscriber_count("room:42") == 0 && runtime.is_member("tab-2", "room:7"), "the other room as it was");
}
