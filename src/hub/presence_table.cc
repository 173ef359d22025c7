#include "hub/presence_table.h"

#include <bit>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace carillon {

std::size_t PresenceTable::MetaHash::operator()(const MetaName& name) const {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15u;
  return hash_name(name.ref) ^ std::rotl(reinterpret_cast<std::uintptr_t>(name.key) * kOdd, 32);
}

bool PresenceTable::add(std::string_view key, PresenceMeta meta) {
  auto found = key_places_.find(key);
  if (found == key_places_.end()) {
    const KeyPlace place = keys_.insert(keys_.end(), Key{.name = std::string(key), .metas = {}});
    found = key_places_.emplace(place->name, place).first;
  }
  Key& owner = *found->second;
  if (metas_.contains(MetaName{&owner, meta.ref})) return false;
  const MetaPlace place = owner.metas.insert(owner.metas.end(), std::move(meta));
  metas_.emplace(MetaName{&owner, place->ref}, place);
  return true;
}

std::optional<PresenceMeta> PresenceTable::remove(std::string_view key, std::string_view ref) {
  const auto owner = key_places_.find(key);
  if (owner == key_places_.end()) return std::nullopt;
  const KeyPlace key_place = owner->second;
  const auto found = metas_.find(MetaName{&*key_place, ref});
  if (found == metas_.end()) return std::nullopt;
  const MetaPlace place = found->second;
  metas_.erase(found);
  PresenceMeta meta = std::move(*place);
  key_place->metas.erase(place);
  if (key_place->metas.empty()) {
    key_places_.erase(owner);
    keys_.erase(key_place);
  }
  return meta;
}

PresenceMeta PresenceTable::exchange(std::string_view key, std::string_view ref, PresenceMeta meta) {
  const auto owner = key_places_.find(key);
  CHECK(owner != key_places_.end());
  const Key* const name = &*owner->second;
  const auto found = metas_.find(MetaName{name, ref});
  CHECK(found != metas_.end());
  const MetaPlace place = found->second;
  metas_.erase(found);  // Before the text that it is found by changes.
  PresenceMeta before = std::exchange(*place, std::move(meta));
  CHECK(metas_.emplace(MetaName{name, place->ref}, place).second);
  return before;
}

bool PresenceTable::has(std::string_view key, std::string_view ref) const {
  const auto owner = key_places_.find(key);
  return owner != key_places_.end() && metas_.contains(MetaName{&*owner->second, ref});
}

PresenceEntry PresenceTable::entry_of(const Key& key) {
  return {.key = key.name, .metas = {key.metas.begin(), key.metas.end()}};
}

std::vector<PresenceEntry> PresenceTable::list() const {
  std::vector<PresenceEntry> entries;
  entries.reserve(keys_.size());
  for (const Key& key : keys_) entries.push_back(entry_of(key));
  return entries;
}

std::optional<PresenceEntry> PresenceTable::get(std::string_view key) const {
  const auto owner = key_places_.find(key);
  if (owner == key_places_.end()) return std::nullopt;
  return entry_of(*owner->second);
}

}  // namespace carillon
