#include "client/load/load_dialect.h"

#include <fmt/core.h>

namespace carillon {

std::string LoadLanguage::subscribe(std::string_view channel) const {
  if (floor()) return {};
  return fmt::format(R"({{"type":"subscribe","channel":"{}"}})", channel);
}

// The server writes its answers compactly and with the type in front; that is part of its protocol's page.
bool LoadLanguage::is_subscribed(std::string_view answer) const {
  return answer.starts_with(R"({"type":"subscribed")");
}

std::string LoadLanguage::publish(std::string_view channel, const PayloadStamp& stamp, std::size_t payload_size) const {
  std::string payload = stamped_payload(stamp, payload_size);
  if (floor()) return payload;
  return fmt::format(R"({{"type":"publish","channel":"{}","event":"m","data":"{}"}})", channel, payload);
}

bool LoadLanguage::is_error(std::string_view message) const {
  return message.starts_with(R"({"type":"error")");
}

}  // namespace carillon
