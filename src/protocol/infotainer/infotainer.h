// infotainer's room: CBOR over WebSocket on a path that names the client's session. One per loop.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <string>

#include "protocol/exchange.h"
#include "protocol/identify.h"
#include "protocol/infotainer/infotainer_dialog.h"

namespace carillon {

class InfotainerRoom {
 public:
  InfotainerRoom(Shard& shard, Identify identify, InfotainerCommon& common, InfotainerDesk::About about)
      : desk_(shard, common, std::move(about)), identify_(std::move(identify)) {}

  void add_routes(Routes& routes);
  InfotainerDesk& desk() { return desk_; }

 private:
  // Who wants to come in, and how.
  struct Visitor {
    InfotainerStart start;
    std::string user_agent;
    ExchangePtr exchange;
  };

  void accept(ExchangePtr exchange);
  void on_owner(std::uint64_t number, const Result<std::string>& owner);
  void open(Visitor visitor);

  InfotainerDesk desk_;
  const Identify identify_;
  std::uint64_t last_number_ = 0;
  // Parked until the store has said whose the session is; each a connection, so bounded by what transport lets in.
  boost::unordered_flat_map<std::uint64_t, Visitor> visitors_;
};

}  // namespace carillon
