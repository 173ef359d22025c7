// Carillon inside a program: a hub without sockets, then a whole server, each spoken to as its users would.
//
// Built outside this project it needs nothing but:  find_package(carillon)  and  target_link_libraries(… carillon::carillon)
#include <carillon/bayeux.h>
#include <carillon/local_hub.h>
#include <carillon/records.h>
#include <carillon/server.h>

#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

namespace {

// What this example promises; a program of your own would handle the error instead.
void expect(bool as_expected, std::string_view what) {
  if (as_expected) return;
  std::cerr << "not as expected: " << what << '\n';
  std::exit(1);
}

template <class T>
T must(carillon::Result<T> result, std::string_view what) {
  if (result) return *std::move(result);
  std::cerr << "cannot " << what << ": " << result.error().text << '\n';
  std::exit(1);
}

void must(carillon::Result<void> result, std::string_view what) {
  if (result) return;
  std::cerr << "cannot " << what << ": " << result.error().text << '\n';
  std::exit(1);
}

std::string receive(carillon::LocalClient& client) {
  const std::optional<std::string> message = client.receive(5s);
  expect(message.has_value(), "a message within five seconds");
  std::cout << "  received " << *message << '\n';
  return *message;
}

void hub_in_the_program() {
  std::cout << "A hub in this program, without sockets\n";
  const auto hub = must(carillon::LocalHub::start(), "start a hub");

  // Somebody who hears everything, and a client that hears one repository.
  carillon::EventListener everything = hub->listen();
  carillon::LocalClient client = must(hub->connect({.user_id = "alice"}), "connect");
  std::cout << "  connected " << client.id() << '\n';
  must(client.handle_command(R"({"type":"subscribe","channel":"repo:alice/app"})"), "subscribe");
  expect(receive(client).starts_with(R"({"type":"subscribed")"), "the subscription's answer");

  // A typed event. Its data is JSON as any other; the record only saves writing it by hand.
  carillon::PushRecord push;
  push.ref = "refs/heads/main";
  push.before = "5f1c2d0000000000000000000000000000000000";
  push.after = "c0ffee0000000000000000000000000000000000";
  push.pusher = "alice";
  push.commit_count = 2;
  const carillon::EmitReceipt receipt = must(hub->emit("repo:alice/app", carillon::EventKind::kPush, push.to_json()), "emit");
  std::cout << "  emitted  " << receipt.event_id << '\n';

  const carillon::Event event = must(carillon::Event::from_json(receive(client)), "read the event");
  expect(event.kind() == carillon::EventKind::kPush && event.event_id == receipt.event_id, "the push that was emitted");
  expect(must(carillon::PushRecord::from_json(event.data), "read the push") == push, "the same push record");

  // Channels and events may have any names and any data.
  must(hub->emit("room:42", "new_msg", R"({"text":"hello"})"), "emit");
  while (const std::optional<carillon::Event> heard = everything.next(0ms)) {
    std::cout << "  heard    " << heard->event << " on " << heard->channel << ": " << heard->data << '\n';
  }

  const carillon::RealtimeStats stats = hub->stats();
  std::cout << "  stats    " << stats.to_json() << '\n';
  expect(stats.current_connections == 1 && stats.total_subscriptions == 1 && stats.total_events == 2, "these stats");
  client.close();
  expect(hub->connection_count() == 0, "nobody left");
}

void server_in_the_program() {
  std::cout << "A whole server in this program\n";
  carillon::ServerOptions options;
  options.listen = "127.0.0.1:0";  // Any free port.
  options.log_level = carillon::LogLevel::kWarning;
  // What Bayeux clients (CometD, faye) publish to /service/time is for this program alone, which answers.
  carillon::BayeuxHooks hooks;
  hooks.services.push_back({"/service/time", [](const carillon::BayeuxCall& call) { call.reply(R"("noon")"); }});
  const auto server = must(carillon::Server::start(options, std::move(hooks)), "start a server");
  std::cout << "  serving  http://" << server->address() << '\n';
  expect(!server->address().ends_with(":0"), "a port that was picked");

  // Its hub is used as above; what is emitted reaches remote clients of every protocol too.
  carillon::LocalClient client = must(server->hub().connect(), "connect");
  must(client.handle_command(R"({"type":"subscribe","channel":"room:42"})"), "subscribe");
  receive(client);
  must(server->hub().emit("room:42", "new_msg", R"({"text":"hello, everybody"})"), "emit");
  expect(receive(client).find("hello, everybody") != std::string::npos, "the message");

  // The same channel by its Bayeux name, and what happens to Bayeux sessions, with a word of our own among it.
  carillon::Bayeux& bayeux = server->bayeux();
  carillon::BayeuxListener sessions = bayeux.listen();
  must(bayeux.publish("/room/42", R"({"text":"hello from Bayeux"})"), "publish");
  expect(receive(client).find("hello from Bayeux") != std::string::npos, "the message by its other name");
  bayeux.emit_custom(std::string("a word of our own"));
  const std::optional<carillon::BayeuxEvent> event = sessions.next(5s);
  expect(event && std::holds_alternative<carillon::bayeux_event::Custom>(*event), "what this program put in");
  expect(bayeux.session_count() == 0, "no Bayeux session");

  server->stop();
  expect(client.closed(), "a client that knows of the stop");
  std::cout << "  stopped  (" << client.close_reason() << ")\n";
}

}  // namespace

int main() {
  std::cout << "Carillon " << carillon::version() << '\n';
  hub_in_the_program();
  server_in_the_program();
}
