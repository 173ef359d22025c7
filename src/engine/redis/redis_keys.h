// RedisKeys: what this room's keys and pub/sub channels are called: `<prefix><kind>:{<channel>}`. What stands in braces decides
// the slot of a cluster, so all that is of one channel lies together; `%`, `{` and `}` in a name are written %25, %7B and %7D.
// Immutable; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace carillon {

class RedisKeys {
 public:
  explicit RedisKeys(std::string prefix) : prefix_(std::move(prefix)) {}

  const std::string& prefix() const { return prefix_; }

  // Publications of a channel: the stream; the receipt that an idempotency key has got; what they are published on.
  std::string stream(std::string_view channel) const { return of("s", channel); }
  std::string idempotency(std::string_view channel, std::string_view key) const;
  std::string publications(std::string_view channel) const { return of("c", channel); }
  // A glob of the pub/sub channels of publications to channels whose names begin with `begin`; empty: of all.
  std::string publications_glob(std::string_view begin) const;
  // The sorted set of the names of channels that have a stream.
  std::string channels() const { return prefix_ + "channels"; }

  // Presence of a channel: member -> what is known of it; user -> how many members; the last version; what diffs are published
  // on.
  std::string members(std::string_view channel) const { return of("p", channel); }
  std::string users(std::string_view channel) const { return of("pu", channel); }
  std::string presence_version(std::string_view channel) const { return of("pv", channel); }
  std::string presence_diffs(std::string_view channel) const { return of("pd", channel); }
  // The set of the channels in which the holder of a lease has members.
  std::string lease_channels(std::string_view lease) const { return of("pc", lease); }

  // A queue group: what is known of it, and how many members each node has; what groups of a channel are told on; the sorted
  // set of the names of all groups.
  std::string group(std::string_view channel, std::string_view name) const { return of("g", channel).append(":").append(name); }
  std::string group_members(std::string_view channel, std::string_view name) const {
    return of("gm", channel).append(":").append(name);
  }
  std::string group_news(std::string_view channel) const { return of("gn", channel); }
  std::string groups() const { return prefix_ + "groups"; }

  // Nodes: the sorted set of leases by the time they end; lease -> record; who removes what a lease that is over has left; what
  // messages to one node, and to all, are published on.
  std::string leases() const { return prefix_ + "l:{nodes}"; }
  std::string node_records() const { return prefix_ + "r:{nodes}"; }
  std::string lease_removal(std::string_view lease) const;
  std::string node(std::string_view name) const;
  std::string all_nodes() const { return prefix_ + "n:{nodes}"; }

  // State: the sorted set of the names of values, and a value.
  std::string state_index() const { return prefix_ + "i:{state}"; }
  std::string state_value(std::string_view key) const;

  // The channel in a key or pub/sub channel that `publications`, `presence_diffs` or `group_news` has made; absent: it is none
  // of these.
  std::optional<std::string> channel_of_publications(std::string_view name) const { return channel_in("c", name); }
  std::optional<std::string> channel_of_presence_diffs(std::string_view name) const { return channel_in("pd", name); }
  std::optional<std::string> channel_of_group_news(std::string_view name) const { return channel_in("gn", name); }

 private:
  std::string of(std::string_view kind, std::string_view channel) const;
  std::optional<std::string> channel_in(std::string_view kind, std::string_view name) const;

  std::string prefix_;
};

}  // namespace carillon
