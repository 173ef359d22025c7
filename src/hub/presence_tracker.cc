#include "carillon/presence_tracker.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/hash.h"
#include "hub/presence_table.h"

namespace carillon {
namespace {

PresenceEntry one_meta(std::string_view key, PresenceMeta meta) {
  PresenceEntry entry{.key = std::string(key), .metas = {}};
  entry.metas.push_back(std::move(meta));
  return entry;
}

}  // namespace

std::string presence_diff_label(const PresenceDiff& diff) {
  return fmt::format("{}:+{}/-{}", diff.topic, diff.changes.joins.size(), diff.changes.leaves.size());
}

class PresenceTracker::State {
 public:
  using Topics = boost::unordered_flat_map<std::string, PresenceTable, NameHash, NameEqual>;

  PresenceTable& table(std::string_view topic) {
    const auto found = topics.find(topic);
    return found != topics.end() ? found->second : topics.try_emplace(std::string(topic)).first->second;
  }
  const PresenceTable* find(std::string_view topic) const {
    const auto found = topics.find(topic);
    return found == topics.end() ? nullptr : &found->second;
  }

  Topics topics;  // None is empty.
};

PresenceTracker::PresenceTracker() : state_(std::make_unique<State>()) {}
PresenceTracker::PresenceTracker(PresenceTracker&&) noexcept = default;
PresenceTracker& PresenceTracker::operator=(PresenceTracker&&) noexcept = default;
PresenceTracker::~PresenceTracker() = default;

PresenceDiff PresenceTracker::join(std::string_view topic, std::string_view key, PresenceMeta meta) {
  PresenceDiff diff{.topic = std::string(topic), .changes = {}};
  if (state_->table(topic).add(key, meta)) diff.changes.joins.push_back(one_meta(key, std::move(meta)));
  return diff;
}

PresenceDiff PresenceTracker::leave(std::string_view topic, std::string_view key, std::string_view ref) {
  PresenceDiff diff{.topic = std::string(topic), .changes = {}};
  const auto found = state_->topics.find(topic);
  if (found == state_->topics.end()) return diff;
  if (auto meta = found->second.remove(key, ref)) diff.changes.leaves.push_back(one_meta(key, *std::move(meta)));
  if (found->second.key_count() == 0) state_->topics.erase(found);
  return diff;
}

PresenceDiff PresenceTracker::replace(std::string_view topic, std::string_view key, std::string_view ref,
                                      std::string_view new_key, PresenceMeta meta) {
  const auto found = state_->topics.find(topic);
  if (found == state_->topics.end() || !found->second.has(key, ref)) return join(topic, new_key, std::move(meta));
  PresenceTable& table = found->second;
  meta.previous_ref = ref;

  const bool same_place = key == new_key && ref == meta.ref;
  if (key == new_key && (same_place || !table.has(key, meta.ref))) {
    PresenceDiff diff{.topic = std::string(topic), .changes = {}};
    diff.changes.joins.push_back(one_meta(key, meta));
    diff.changes.leaves.push_back(one_meta(key, table.exchange(key, ref, std::move(meta))));
    return diff;
  }
  // The join first: so the topic never is without a meta in between.
  PresenceDiff diff = join(topic, new_key, std::move(meta));
  diff.changes.leaves = leave(topic, key, ref).changes.leaves;
  return diff;
}

void PresenceTracker::drop(std::string_view topic) {
  if (const auto found = state_->topics.find(topic); found != state_->topics.end()) state_->topics.erase(found);
}

std::vector<PresenceEntry> PresenceTracker::list(std::string_view topic) const {
  const PresenceTable* const table = state_->find(topic);
  return table == nullptr ? std::vector<PresenceEntry>() : table->list();
}

std::optional<PresenceEntry> PresenceTracker::get(std::string_view topic, std::string_view key) const {
  const PresenceTable* const table = state_->find(topic);
  return table == nullptr ? std::nullopt : table->get(key);
}

std::size_t PresenceTracker::key_count(std::string_view topic) const {
  const PresenceTable* const table = state_->find(topic);
  return table == nullptr ? 0 : table->key_count();
}

std::size_t PresenceTracker::ref_count(std::string_view topic) const {
  const PresenceTable* const table = state_->find(topic);
  return table == nullptr ? 0 : table->ref_count();
}

std::vector<std::string> PresenceTracker::topics() const {
  std::vector<std::string> names;
  names.reserve(state_->topics.size());
  for (const auto& [name, table] : state_->topics) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace carillon
