#include "hub/selector.h"

#include "hub/channel_name.h"

namespace carillon {

bool Selector::matches(std::string_view channel) const {
  if (kind == Kind::kExact) return channel == base;
  if (kind == Kind::kTree && channel == base) return true;
  std::string_view above = channel;
  for (int depth = 1; !above.empty(); ++depth) {
    above = parent_channel(above);
    if (above == base) return kind != Kind::kChildren || depth == 1;
  }
  return false;
}

}  // namespace carillon
