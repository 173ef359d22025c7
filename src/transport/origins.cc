#include "transport/origins.h"

#include <algorithm>

namespace carillon {
namespace {

// What follows "://": host and port.
std::string_view authority(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? std::string_view() : origin.substr(scheme + 3);
}

std::string_view without_port(std::string_view host) {
  const std::size_t address_end = host.starts_with('[') ? host.find(']') : 0;
  return address_end == std::string_view::npos ? host : host.substr(0, host.find(':', address_end));
}

}  // namespace

bool Origins::may_use(std::string_view origin, std::string_view host) const {
  if (origin.empty()) return true;
  if (allowed_.empty()) {
    if (authority(origin) == host && !host.empty()) return true;
    const std::string_view name = without_port(authority(origin));
    return development_ && (name == "localhost" || name == "127.0.0.1" || name == "[::1]");
  }
  return std::any_of(allowed_.begin(), allowed_.end(),
                     [origin](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

}  // namespace carillon
