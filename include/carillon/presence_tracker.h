// PresenceTracker: who is present in a topic. Each key (a user) has the metas of its joins; every change gives its diff.
//
// A join, a leave or a replacement costs O(1) whatever the number of keys and metas; a topic without metas does not exist.
// Nothing raises, nothing is limited: whoever feeds it bounds what it lets in. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carillon {

struct PresenceMeta {
  std::string ref;           // Unique for each join, rejoin and update.
  std::string previous_ref;  // The ref that this one takes the place of; empty: none.
  std::int64_t online_at_ms = 0;
  std::string meta;       // As it came with the join.
  std::string client_id;  // Whose presence it is.
  friend bool operator==(const PresenceMeta&, const PresenceMeta&) = default;
};

struct PresenceEntry {
  std::string key;
  std::vector<PresenceMeta> metas;  // Never empty; in the order of their joins, a replacement at the place of what it replaced.
  friend bool operator==(const PresenceEntry&, const PresenceEntry&) = default;
};

struct PresenceChanges {
  std::vector<PresenceEntry> joins;
  std::vector<PresenceEntry> leaves;

  bool empty() const { return joins.empty() && leaves.empty(); }
  friend bool operator==(const PresenceChanges&, const PresenceChanges&) = default;
};

struct PresenceDiff {
  std::string topic;
  PresenceChanges changes;  // How many keys joined and left: the sizes of its two lists.
  friend bool operator==(const PresenceDiff&, const PresenceDiff&) = default;
};

// "<topic>:+<keys that joined>/-<keys that left>".
std::string presence_diff_label(const PresenceDiff& diff);

class PresenceTracker {
 public:
  PresenceTracker();
  PresenceTracker(PresenceTracker&&) noexcept;
  PresenceTracker& operator=(PresenceTracker&&) noexcept;
  ~PresenceTracker();

  // A ref that the key has already is not added again: the diff is empty, and the older meta stays.
  PresenceDiff join(std::string_view topic, std::string_view key, PresenceMeta meta);
  // Empty diff: the key has no such ref.
  PresenceDiff leave(std::string_view topic, std::string_view key, std::string_view ref);
  // `meta` in the place of `ref`, in one diff, with `ref` as its `previous_ref`. Where the key changes, the new meta is the
  // last of its new key. A join when there was no such ref; only a leave when the new key has the new ref already.
  PresenceDiff replace(std::string_view topic, std::string_view key, std::string_view ref, std::string_view new_key,
                       PresenceMeta meta);
  // Forgets all of a topic, without a diff.
  void drop(std::string_view topic);

  // Keys in the order in which they became present.
  std::vector<PresenceEntry> list(std::string_view topic) const;
  std::optional<PresenceEntry> get(std::string_view topic, std::string_view key) const;
  std::size_t key_count(std::string_view topic) const;
  std::size_t ref_count(std::string_view topic) const;
  // In the order of their names.
  std::vector<std::string> topics() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace carillon
