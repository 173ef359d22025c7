// A whole Carillon server inside a program: loops on threads of their own, every protocol, one address.
//
//   carillon::ServerOptions options;
//   options.listen = "127.0.0.1:0";
//   auto server = carillon::Server::start(options);
//   if (!server) return fail(server.error().text);
//   (*server)->hub().emit("repo:alice/app", carillon::EventKind::kPush, R"({"ref":"refs/heads/main"})");
#pragma once

#include <memory>
#include <string>

#include "carillon/bayeux.h"
#include "carillon/local_hub.h"
#include "carillon/result.h"
#include "carillon/routes.h"
#include "carillon/server_options.h"

namespace carillon {

class Server {
 public:
  // Listens and serves when it returns. `bayeux` and `routes` are what the program has a say in or answers over Bayeux
  // (bayeux.h) and the routes protocol (routes.h); they are called on the server's threads until stop() returns. Raises the
  // process's limit on open files as far as the system permits. Errors: kInvalid (options that contradict themselves, a hook
  // without a function or a channel, an address that is none), kForbidden (an address that others can reach, without an API key
  // and without `insecure`), kUnavailable (the address is in use), kInternal.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, BayeuxHooks bayeux = {}, RouteHooks routes = {});
  // Stops, if that has not been done.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "127.0.0.1:8080": where it listens, with the port that was picked for port 0. Any thread.
  std::string address() const;

  // The server's own hub, for publishing and listening from this program. Any thread; it must not be used after stop().
  LocalHub& hub();

  // The server's Bayeux sessions. Any thread.
  Bayeux& bayeux();

  // The clients of the routes protocol. Any thread.
  RouteHub& routes();

  // Accepts nothing more, says goodbye to every client spread over `drain_time`, sends what waits, and ends the threads. Blocks
  // until that is done; not to be called on one of the server's own threads. Idempotent.
  void stop();

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// "0.1.0"
const char* version();

}  // namespace carillon
