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
  // The services outlive it.
  explicit BayeuxServices(const std::vector<BayeuxService>& services) : services_(services) {}

  struct Match {
    const BayeuxService* service = nullptr;  // Null: nobody takes it.
    std::vector<std::pair<std::string, std::string>> parameters;
  };
  Match match(std::string_view channel) const;

 private:
  const std::vector<BayeuxService>& services_;
};

}  // namespace carillon
