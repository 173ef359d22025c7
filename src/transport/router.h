// Router: which room answers a request. One per loop; filled by the rooms before the loop runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/exchange.h"

namespace carillon {

class Router final : public Routes {
 public:
  void add(std::string_view method, std::string_view path, RouteHandler handler) override;

  struct Match {
    RouteHandler* handler = nullptr;  // Null: nothing answers this.
    PathValues values;
    std::string allowed;  // When the path is known but not the method: what is ("GET, HEAD").
  };
  // `target` as sent, `path` decoded. Named segments are cut in the target and decoded one by one, so that `%2F` in a name is
  // part of the name.
  Match match(std::string_view method, std::string_view target, std::string_view path);

  // "GET /api/events" and so on, in the order of their adding.
  std::vector<std::string> descriptions() const;

 private:
  struct Route {
    std::string method;
    std::string path;
    std::vector<std::string> segments;
    RouteHandler handler;
  };

  std::vector<Route> routes_;
};

}  // namespace carillon
