// The native protocol's room: JSON over WebSocket, as guts' clients speak it, and what Carillon adds. One per loop.
#pragma once

#include <string>

#include "protocol/exchange.h"
#include "protocol/identify.h"
#include "protocol/native/native_dialog.h"

namespace carillon {

class NativeRoom {
 public:
  // `server` is what a client of version 2 is told: "carillon/0.1.0".
  NativeRoom(Shard& shard, DurableSubscriptions& durable, Identify identify, const NativeOptions& options,
             const LimitsOptions& limits, std::string server);

  void add_routes(Routes& routes);

  // A client without an HTTP request: one in this program. Event names are the options'.
  std::unique_ptr<NativeDialog> open(Link& link, IdentityPtr identity, std::string_view user_agent);

 private:
  class EventEncoding final : public Encoding {
   public:
    explicit EventEncoding(EventNames names) : names_(names) {}
    void encode(const Publication& publication, std::string& out) const override;
    void encode_presence(const PresenceUpdate& diff, std::string& out) const override;
    void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override;

   private:
    EventNames names_;
  };

  void accept(ExchangePtr exchange);
  const EventEncoding& encoding_of(EventNames names) const { return names == EventNames::kDotted ? dotted_ : underscore_; }

  NativeShared shared_;
  const Identify identify_;
  const NativeOptions options_;
  const LimitsOptions limits_;
  const std::string server_;
  const EventEncoding underscore_{EventNames::kUnderscore};
  const EventEncoding dotted_{EventNames::kDotted};
};

}  // namespace carillon
