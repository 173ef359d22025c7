// ChannelSet: the channels that a rule's pattern fits or that a selector matches, as far as such sets are compared.
//
// A value that looks into the texts it was made of: they outlive it. Segments that say `*` or `{user}` stand for any one;
// that some segment would make a name too long for a channel is not looked at, so a set may hold names that no channel has.
#pragma once

#include <boost/container/small_vector.hpp>
#include <optional>
#include <string_view>

#include "hub/selector.h"

namespace carillon {

class ChannelSet {
 public:
  // The pattern must have passed check_channel_pattern.
  static ChannelSet of_pattern(std::string_view pattern);
  static ChannelSet of_selector(const Selector& selector);

  // The channels that are in both; nothing when there are none.
  static std::optional<ChannelSet> common(const ChannelSet& one, const ChannelSet& other);
  // Whether every channel of the other is one of this.
  bool holds(const ChannelSet& other) const;

  // The segment that stands where a pattern had `{user}`, when it is the same in every channel of the set; else empty.
  std::string_view owner() const;

 private:
  struct Segment {
    std::optional<std::string_view> name;  // Absent: any.
    bool is_user = false;                  // A pattern's `{user}` is here.
  };

  // Every name has a segment: so `**` is `*` and what lies below.
  void take_no_empty_name();

  boost::container::small_vector<Segment, 8> segments_;
  bool open_ = false;  // Any number of segments may follow.
};

}  // namespace carillon
