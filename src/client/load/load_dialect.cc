#include "client/load/load_dialect.h"

#include <fmt/core.h>

namespace carillon {
namespace {

constexpr const char* kBayeuxPath = "/cometd";

}  // namespace

BayeuxPlace LoadLanguage::bayeux_place(std::string authority) const {
  const auto carrier = floor()   ? BayeuxCarrier::kFloorPolling
                       : polls() ? BayeuxCarrier::kLongPolling
                                 : BayeuxCarrier::kWebSocket;
  return {.carrier = carrier, .authority = std::move(authority), .path = kBayeuxPath};
}

std::string LoadLanguage::subscriber_path() const {
  switch (dialect_) {
    case LoadDialect::kNative: break;
    case LoadDialect::kPhoenix: return "/socket/websocket?vsn=2.0.0";
    case LoadDialect::kBayeux:
    case LoadDialect::kBayeuxPolls:
    case LoadDialect::kFloorPolls: return kBayeuxPath;
    case LoadDialect::kFloor: return "/sub";
  }
  return path_;
}

std::string LoadLanguage::subscribe(std::string_view channel) const {
  if (floor()) return {};
  if (dialect_ == LoadDialect::kPhoenix) return fmt::format(R"(["1","1","{}","phx_join",{{}}])", channel);
  return fmt::format(R"({{"type":"subscribe","channel":"{}"}})", channel);
}

std::string LoadLanguage::subscribe_present(std::string_view channel) const {
  if (dialect_ != LoadDialect::kNative) return subscribe(channel);
  return fmt::format(R"({{"type":"subscribe","channel":"{}","presence":true}})", channel);
}

// The server writes its answers compactly and with the type in front; that is part of its protocol's page.
bool LoadLanguage::is_subscribed(std::string_view answer) const {
  return answer.starts_with(R"({"type":"subscribed")") ||
         (answer.starts_with(R"(["1","1",)") && answer.find(R"("phx_reply",{"status":"ok")") != std::string_view::npos);
}

std::string LoadLanguage::publish(std::string_view channel, const PayloadStamp& stamp, std::size_t payload_size) const {
  std::string payload = stamped_payload(stamp, payload_size);
  if (floor()) return payload;
  // Of another event Bayeux clients are told the name, with each message.
  const char* const event = bayeux() ? "message" : "m";
  return fmt::format(R"({{"type":"publish","channel":"{}","event":"{}","data":"{}"}})", channel, event, payload);
}

bool LoadLanguage::is_error(std::string_view message) const {
  return message.starts_with(R"({"type":"error")") ||
         (message.starts_with(R"([")") && message.find(R"("phx_reply",{"status":"error")") != std::string_view::npos);
}

}  // namespace carillon
