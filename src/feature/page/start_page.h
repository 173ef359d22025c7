// The page at `/`: what this server is, what to try, and every event as it happens, for whoever may hear them all.
#pragma once

#include <string>

#include "protocol/exchange.h"

namespace carillon {

struct StartPageOptions {
  std::string version;
  std::string sse_path = "/api/events";
};

class StartPage {
 public:
  explicit StartPage(const StartPageOptions& options);

  // The page must outlive the routes.
  void add_routes(Routes& routes);

 private:
  const std::string html_;
};

}  // namespace carillon
