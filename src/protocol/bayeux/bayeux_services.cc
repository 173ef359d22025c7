#include "protocol/bayeux/bayeux_services.h"

#include <algorithm>
#include <optional>

namespace carillon {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

// Takes the first segment off "/a/b", which leaves "/b".
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);  // The slash.
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

std::optional<Parameters> fit(std::string_view pattern, std::string_view channel) {
  Parameters parameters;
  while (!pattern.empty() && !channel.empty()) {
    const std::string_view wanted = take_segment(pattern);
    if (wanted == "**") return parameters;
    const std::string_view segment = take_segment(channel);
    if (wanted.starts_with('{')) {
      parameters.emplace_back(wanted.substr(1, wanted.size() - 2), segment);
    } else if (wanted != segment && wanted != "*") {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !channel.empty()) return std::nullopt;
  return parameters;
}

}  // namespace

BayeuxServices::Match BayeuxServices::match(std::string_view channel) const {
  for (const BayeuxService& service : services_) {
    if (std::optional<Parameters> parameters = fit(service.pattern, channel)) return {&service, *std::move(parameters)};
  }
  return {};
}

}  // namespace carillon
