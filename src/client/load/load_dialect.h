// LoadDialect: what a load generator must say to a server to subscribe and to publish, and how it knows the answers. What
// Bayeux clients say is more than one message: bayeux_talk.h.
#pragma once

#include <string>
#include <string_view>

#include "client/load/bayeux_talk.h"
#include "client/load/payload_stamp.h"

namespace carillon {

enum class LoadDialect {
  kNative,       // Carillon's own protocol, docs/protocol/native.md.
  kPhoenix,      // Subscribers speak Phoenix Channels, V2, at the default mount; publishers the native protocol.
  kBayeux,       // Subscribers speak Bayeux by WebSocket, at the default mount; publishers the native protocol.
  kBayeuxPolls,  // The same by long-polling.
  kFloor,        // bench/floor.cc: the path says what a connection is, and messages are bare payloads.
  kFloorPolls,   // The same; subscribers poll it as Bayeux clients do.
};

class LoadLanguage {
 public:
  LoadLanguage(LoadDialect dialect, std::string path) : dialect_(dialect), path_(std::move(path)) {}

  // Subscribers are BayeuxTalks, at bayeux_place.
  bool bayeux() const { return dialect_ == LoadDialect::kBayeux || polls(); }
  // Subscribers are HTTP clients.
  bool polls() const { return dialect_ == LoadDialect::kBayeuxPolls || dialect_ == LoadDialect::kFloorPolls; }
  BayeuxPlace bayeux_place(std::string authority) const;

  std::string publisher_path() const { return floor() ? "/pub" : path_; }
  std::string subscriber_path() const;
  std::string bystander_path() const { return floor() ? "/idle" : subscriber_path(); }

  // The message that subscribes; empty when being connected is enough. Not of Bayeux clients.
  std::string subscribe(std::string_view channel) const;
  // The same, being present there. Phoenix' clients always are, where the channel has presence.
  std::string subscribe_present(std::string_view channel) const;
  bool is_subscribed(std::string_view answer) const;

  std::string publish(std::string_view channel, const PayloadStamp& stamp, std::size_t payload_size) const;

  bool is_error(std::string_view message) const;

 private:
  bool floor() const { return dialect_ == LoadDialect::kFloor || dialect_ == LoadDialect::kFloorPolls; }

  const LoadDialect dialect_;
  const std::string path_;
};

}  // namespace carillon
