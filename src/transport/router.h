// Router: which room answers a request. One per loop; filled by the rooms before the loop runs.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
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
  // part of the name. The values are put into the memory of `values`, whatever it held.
  Match match(std::string_view method, std::string_view target, std::string_view path, PathValues values = {});

  // "GET /api/events" and so on, in the order of their adding.
  std::vector<std::string> descriptions() const;

 private:
  struct Route {
    std::string method;
    std::string path;
    std::vector<std::string> segments;
    RouteHandler handler;
  };

  void put_in_order();
  // Takes the route into the match if it fits the method; else notes what it allows.
  static bool take(Route& route, std::string_view method, PathValues& values, Match& match);

  std::vector<Route> routes_;  // The first that matches is the right one.
  // Of a path without escapes the literal route is found by its text, and is ahead of all named ones.
  boost::unordered_flat_map<std::string, std::vector<std::size_t>, NameHash, NameEqual> literal_;
  struct Named {
    std::string begin;  // Of the path, up to the first name.
    std::size_t route;
  };
  std::vector<Named> named_;
};

}  // namespace carillon
