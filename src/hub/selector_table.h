// SelectorTable: values by selector, found by channel. Finding costs the channel's depth, however many selectors there are.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "hub/channel_name.h"
#include "hub/selector.h"

namespace carillon {

template <class Value>
class SelectorTable {
 public:
  Value* find(const Selector& selector) {
    auto& map = map_of(selector.kind);
    const auto found = map.find(std::string_view(selector.base));
    return found == map.end() ? nullptr : &found->second;
  }
  // The selector's value, made if it was not there. Values move when the table grows.
  Value& operator[](const Selector& selector) { return map_of(selector.kind)[selector.base]; }
  void erase(const Selector& selector) { map_of(selector.kind).erase(selector.base); }

  // Calls visit(value) for every selector that matches the channel.
  template <class Visit>
  void for_each_match(std::string_view channel, Visit&& visit) {
    visit_if_found(Selector::Kind::kExact, channel, visit);
    if (wide_empty()) return;
    visit_if_found(Selector::Kind::kTree, channel, visit);
    std::string_view above = channel;
    for (bool first = true; !above.empty(); first = false) {
      above = parent_channel(above);
      if (first) visit_if_found(Selector::Kind::kChildren, above, visit);
      visit_if_found(Selector::Kind::kBelow, above, visit);
      visit_if_found(Selector::Kind::kTree, above, visit);
    }
  }

  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& map : maps_) {
      for (auto& [base, value] : map) visit(value);
    }
  }

  std::size_t size() const {
    std::size_t total = 0;
    for (const auto& map : maps_) total += map.size();
    return total;
  }

 private:
  using Map = boost::unordered_flat_map<std::string, Value, NameHash, NameEqual>;

  Map& map_of(Selector::Kind kind) { return maps_[static_cast<std::size_t>(kind)]; }
  bool wide_empty() const { return maps_[1].empty() && maps_[2].empty() && maps_[3].empty(); }

  template <class Visit>
  void visit_if_found(Selector::Kind kind, std::string_view base, Visit& visit) {
    Map& map = map_of(kind);
    if (map.empty()) return;
    if (const auto found = map.find(base); found != map.end()) visit(found->second);
  }

  std::array<Map, 4> maps_;
};

}  // namespace carillon
