// PresenceBatch: several presence diffs of one channel, one after the other, as one: who came and went meanwhile is in neither
// list, and who changed several times leaves once and joins once.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "carillon/channel_runtime.h"

namespace carillon {

class PresenceBatch {
 public:
  void add(PresenceChanges changes);
  bool empty() const;
  // Entries in the order of their keys' first appearance; the batch is empty afterwards.
  PresenceChanges take();

 private:
  struct Change {
    std::string key;
    PresenceMeta meta;
    bool undone = false;
  };

  void join(const std::string& key, PresenceMeta meta);
  void leave(const std::string& key, PresenceMeta meta);
  static std::vector<PresenceEntry> entries(std::vector<Change>& changes);

  std::vector<Change> joins_, leaves_;
  std::unordered_map<std::string, std::size_t> join_of_ref_;    // Joins of this batch that stand.
  std::unordered_map<std::string, std::string> before_unseen_;  // Refs that came and went in it -> what they had replaced.
};

}  // namespace carillon
