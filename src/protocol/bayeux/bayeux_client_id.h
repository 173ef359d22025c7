// The ids of Bayeux sessions, and of browsers: 40 lower-case hexadecimal digits. The first 14 are the time in microseconds
// since 1970, but that the last four of them, less than 66 ms, are in a client's id the number of its node
// (protocol/node_forward.h; 0: there is one node). The next two say on which loop of it the session lives
// (protocol/siblings.h): so a request that arrives elsewhere finds it. The other 96 bits cannot be guessed. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace carillon {

// An id as a key of maps: without memory of its own, and as random as it is.
class BayeuxClientKey {
 public:
  static constexpr std::size_t kBytes = 40;

  // Nothing for a text of another length.
  static std::optional<BayeuxClientKey> of(std::string_view client_id);
  friend bool operator==(const BayeuxClientKey&, const BayeuxClientKey&) = default;
  friend std::size_t hash_value(const BayeuxClientKey& key);

 private:
  std::array<char, kBytes> text_;
};

struct BayeuxHome {
  std::uint16_t node = 0;
  std::size_t place = 0;
};
std::string make_bayeux_client_id(BayeuxHome home, const Clock& clock, Random& random);
// The place that such an id names; nothing for any other text.
std::optional<std::size_t> bayeux_place(std::string_view client_id);
// The node; 0: none, or the text is no such id.
std::uint16_t bayeux_node(std::string_view client_id);

std::string make_bayeux_browser_id(const Clock& clock, Random& random);
bool is_bayeux_browser_id(std::string_view text);

}  // namespace carillon
