// PresenceTable: the keys of one topic with their metas, each in its order, found by name. Everything but `list` is O(1). One
// thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "carillon/presence_tracker.h"

namespace carillon {

class PresenceTable {
 public:
  // False: the key has this ref already.
  bool add(std::string_view key, PresenceMeta meta);
  // What was there; nothing: the key has no such ref. A key goes with its last meta.
  std::optional<PresenceMeta> remove(std::string_view key, std::string_view ref);
  // `meta` at the place of the key's `ref`; gives what was there. The ref must be there, and the new one not, or be the same.
  PresenceMeta exchange(std::string_view key, std::string_view ref, PresenceMeta meta);
  bool has(std::string_view key, std::string_view ref) const;

  std::vector<PresenceEntry> list() const;
  std::optional<PresenceEntry> get(std::string_view key) const;
  std::size_t key_count() const { return keys_.size(); }
  std::size_t ref_count() const { return metas_.size(); }

 private:
  // Lists: what is in them stays where it is, so the indexes below may point at it and at its texts.
  struct Key {
    std::string name;
    std::list<PresenceMeta> metas;
  };
  using KeyPlace = std::list<Key>::iterator;
  using MetaPlace = std::list<PresenceMeta>::iterator;

  // Two keys may have the same ref.
  struct MetaName {
    const Key* key;
    std::string_view ref;
    friend bool operator==(const MetaName&, const MetaName&) = default;
  };
  struct MetaHash {
    using is_avalanching = void;
    std::size_t operator()(const MetaName& name) const;
  };

  static PresenceEntry entry_of(const Key& key);

  std::list<Key> keys_;
  boost::unordered_flat_map<std::string_view, KeyPlace, NameHash, NameEqual> key_places_;
  boost::unordered_flat_map<MetaName, MetaPlace, MetaHash> metas_;
};

}  // namespace carillon
