// Selector: which channels a subscription hears.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

// Names and their segments are those of channel_name.h. With an empty `base`, the tree is every channel there is.
struct Selector {
  enum class Kind : std::uint8_t {
    kExact,     // The channel `base`.
    kTree,      // `base` and everything below it: a repository hears its pull requests.
    kChildren,  // What lies exactly one segment below `base` (Bayeux `*`).
    kBelow,     // What lies any number of segments below `base`, but not `base` (Bayeux `**`).
  };
  Kind kind = Kind::kExact;
  std::string base;

  bool matches(std::string_view channel) const;
  friend bool operator==(const Selector&, const Selector&) = default;
};

}  // namespace carillon
