// How publications are written for Bayeux clients: whole messages with a comma behind each, of which arrays are made when they
// leave. One for all clients of a loop, whatever their transport, and one for those that replay, so that all share the bytes.
#pragma once

#include <string>
#include <string_view>

#include "hub/encoding.h"
#include "protocol/bayeux/bayeux_channel.h"

namespace carillon {

// The event of what a Bayeux client publishes. Publications with another say so in their `ext`.
inline constexpr std::string_view kBayeuxEvent = "message";

struct BayeuxForm {
  BayeuxAlphabet alphabet = BayeuxAlphabet::kCometd;
  bool timestamps = false;
  bool positions = false;  // A publication's position stands in its `ext`, as `replay`.
};

class BayeuxEncoding final : public Encoding {
 public:
  explicit BayeuxEncoding(const BayeuxForm& form) : form_(form) {}

  // {"channel":"/a/b","data":…},
  void encode(const Publication& publication, std::string& out) const override;

 private:
  const BayeuxForm form_;
};

// As CometD's timestamp extension writes it: "Tue Mar 05 10:11:12 GMT 2024".
std::string bayeux_timestamp(std::int64_t unix_ms);

// A message for one client, with a comma behind it. `id_json`: empty: none. `successful` only where a remote call is answered.
struct BayeuxDelivery {
  std::string_view channel;  // As on the wire.
  std::string_view data_json;
  std::string_view id_json = {};
  std::optional<bool> successful = {};
  std::string_view timestamp = {};
};
std::string bayeux_delivery(const BayeuxDelivery& delivery);

}  // namespace carillon
