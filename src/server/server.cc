#include "carillon/server.h"

#include "server/bayeux_handle.h"
#include "server/local_hub_parts.h"
#include "server/route_handle.h"
#include "server/runtime.h"

namespace carillon {

class Server::Parts {
 public:
  explicit Parts(std::unique_ptr<Runtime> started)
      : runtime(std::move(started)),
        address(runtime->address()),
        hub(open_hub(*runtime)),
        bayeux(open_bayeux(*runtime)),
        routes(std::make_unique<RouteHub::Parts>(*runtime)) {}

  std::unique_ptr<Runtime> runtime;
  const std::string address;
  const std::unique_ptr<LocalHub> hub;
  const std::unique_ptr<Bayeux> bayeux;
  RouteHub routes;

 private:
  static std::unique_ptr<LocalHub> open_hub(Runtime& runtime) {
    return std::unique_ptr<LocalHub>(new LocalHub(std::make_unique<LocalHub::Parts>(runtime)));
  }
  static std::unique_ptr<Bayeux> open_bayeux(Runtime& runtime) {
    return std::unique_ptr<Bayeux>(new Bayeux(std::make_unique<Bayeux::Parts>(runtime)));
  }
};

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, BayeuxHooks bayeux, RouteHooks routes) {
  Result<std::unique_ptr<Runtime>> runtime =
      Runtime::start(options, Runtime::Reach::kListening, std::move(bayeux), std::move(routes));
  if (!runtime) return runtime.error();
  return std::unique_ptr<Server>(new Server(std::make_unique<Parts>(*std::move(runtime))));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() {
  stop();
}

std::string Server::address() const {
  return parts_->address;
}

LocalHub& Server::hub() {
  return *parts_->hub;
}

Bayeux& Server::bayeux() {
  return *parts_->bayeux;
}

RouteHub& Server::routes() {
  return parts_->routes;
}

void Server::stop() {
  parts_->runtime->stop();
}

const char* version() {
  return CARILLON_VERSION;
}

}  // namespace carillon
