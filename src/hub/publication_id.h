// Publication ids that lead to their place: a version 4 UUID (RFC 9562, section 5.4) of 58 random bits, and the offset hidden
// among the others, so that who holds an id finds the publication without an index. They look random, and are no secret.
#pragma once

#include <cstdint>
#include <optional>

#include "hub/publication.h"

namespace carillon {

// `random` is unpredictable enough to be unique; its lowest 58 bits are used.
Uuid publication_id(const Position& position, std::uint64_t random);

// The offset that an id of this epoch says. Of an id that was not made so, or in another epoch: any number.
std::uint64_t offset_in(const Uuid& id, std::uint64_t epoch);
// The 58 random bits that it was made of.
std::uint64_t random_in(const Uuid& id);

}  // namespace carillon
