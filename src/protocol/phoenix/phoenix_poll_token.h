// The token by which a long-poll client names its session: "<node>.<place>.<32 hexadecimal digits>". The node's number
// (protocol/node_forward.h; 0: there is one node) and the place say on which server and on which of its loops
// (protocol/siblings.h) the session lives, so that a poll that arrives elsewhere finds it; the rest cannot be guessed. Nothing
// is signed: who alters the first two finds no session. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace carillon {

struct PhoenixPollHome {
  std::uint16_t node = 0;
  std::size_t place = 0;

  friend bool operator==(const PhoenixPollHome&, const PhoenixPollHome&) = default;
};

std::string make_phoenix_poll_token(PhoenixPollHome home, Random& random);
// Where the session of such a token lives; nothing for any other text, as an application's own token.
std::optional<PhoenixPollHome> phoenix_poll_home(std::string_view token);

}  // namespace carillon
