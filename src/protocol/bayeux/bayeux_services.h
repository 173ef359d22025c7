// BayeuxServices: which of the program's services takes a message to a service channel. Immutable; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carillon/bayeux.h"

namespace carillon {

class BayeuxServices {
 public:
  // Patterns have been checked (server/check_bayeux.h). The services outlive it.
  explicit BayeuxServices(const std::vector<BayeuxService>& services) : services_(services) {}

  struct Match {
    const BayeuxService* service = nullptr;  // Null: nobody takes it.
    std::vector<std::pair<std::string, std::string>> parameters;
  };
  // The first whose pattern fits. A segment `{name}` of it fits any one, a last `*` too, a last `**` one and all behind it.
  Match match(std::string_view channel) const;

 private:
  const std::vector<BayeuxService>& services_;
};

}  // namespace carillon
