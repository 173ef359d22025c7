// Hashing of names that peers choose: seeded per process, so that nobody can prepare colliding names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

std::size_t hash_name(std::string_view name);

// For simulation, whose runs must be repeatable. While no map with hashed names is alive.
void set_name_hash_seed(std::uint64_t seed);

// For maps keyed by std::string that are asked with std::string_view.
struct NameHash {
  using is_transparent = void;
  using is_avalanching = void;  // Every bit of the result depends on every bit of the name.
  std::size_t operator()(std::string_view name) const { return hash_name(name); }
};
struct NameEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

}  // namespace carillon
