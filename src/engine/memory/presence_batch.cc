#include "engine/memory/presence_batch.h"

#include <algorithm>
#include <utility>

namespace carillon {

void PresenceBatch::add(PresenceChanges changes) {
  for (PresenceEntry& entry : changes.leaves) {
    for (PresenceMeta& meta : entry.metas) leave(entry.key, std::move(meta));
  }
  for (PresenceEntry& entry : changes.joins) {
    for (PresenceMeta& meta : entry.metas) join(entry.key, std::move(meta));
  }
}

void PresenceBatch::join(const std::string& key, PresenceMeta meta) {
  // What it takes the place of came within this batch: nobody has seen it.
  if (const auto unseen = before_unseen_.find(meta.previous_ref); unseen != before_unseen_.end()) {
    meta.previous_ref = unseen->second;
  }
  join_of_ref_.emplace(meta.ref, joins_.size());
  joins_.push_back({.key = key, .meta = std::move(meta)});
}

void PresenceBatch::leave(const std::string& key, PresenceMeta meta) {
  const auto found = join_of_ref_.find(meta.ref);
  if (found == join_of_ref_.end()) {
    leaves_.push_back({.key = key, .meta = std::move(meta)});
    return;
  }
  Change& join = joins_[found->second];
  join.undone = true;
  before_unseen_.emplace(meta.ref, join.meta.previous_ref);
  join_of_ref_.erase(found);
}

bool PresenceBatch::empty() const {
  return leaves_.empty() && std::all_of(joins_.begin(), joins_.end(), [](const Change& join) { return join.undone; });
}

PresenceChanges PresenceBatch::take() {
  PresenceChanges taken{.joins = entries(joins_), .leaves = entries(leaves_)};
  *this = {};
  return taken;
}

std::vector<PresenceEntry> PresenceBatch::entries(std::vector<Change>& changes) {
  std::vector<PresenceEntry> entries;
  std::unordered_map<std::string, std::size_t> place_of_key;
  for (Change& change : changes) {
    if (change.undone) continue;
    const auto [place, is_new] = place_of_key.try_emplace(change.key, entries.size());
    if (is_new) entries.push_back({.key = std::move(change.key), .metas = {}});
    entries[place->second].metas.push_back(std::move(change.meta));
  }
  return entries;
}

}  // namespace carillon
