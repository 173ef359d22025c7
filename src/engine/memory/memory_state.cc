#include "engine/memory/memory_state.h"

namespace carillon {
namespace {

constexpr std::size_t kRecordCost = 128;  // Of the map, about.

std::size_t cost(const std::string& key, const std::string& value) {
  return key.size() + value.size() + kRecordCost;
}

}  // namespace

bool MemoryState::is_gone(const Kept& kept) const {
  return kept.expires_at_ms != 0 && kept.expires_at_ms <= clock_.unix_ms();
}

void MemoryState::change(std::vector<StateChange> changes, bool /*synced*/, UniqueFunction<void(Result<void>)> done) {
  const Result<void> outcome = [&]() -> Result<void> {
    const std::lock_guard lock(mutex_);
    std::size_t added = 0;
    for (const StateChange& change : changes) added += change.value ? cost(change.key, *change.value) : 0;
    if (added > 0 && bytes_ + added > kBytesMax) {
      return Error{ErrorKind::kLimit, "the state of groups and subscriptions fills its memory; remove some of them"};
    }
    for (StateChange& change : changes) {
      if (const auto found = records_.find(change.key); found != records_.end()) {
        bytes_ -= cost(found->first, found->second.value);
        records_.erase(found);
      }
      if (!change.value) continue;
      bytes_ += cost(change.key, *change.value);
      records_.emplace(std::move(change.key), Kept{*std::move(change.value), change.expires_at_ms});
    }
    return {};
  }();
  done(outcome);
}

void MemoryState::read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) {
  std::optional<std::string> value;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = records_.find(key); found != records_.end() && !is_gone(found->second)) value = found->second.value;
  }
  done(std::move(value));
}

void MemoryState::list(std::string prefix, std::string after, std::size_t count_max,
                       UniqueFunction<void(Result<std::vector<StateRecord>>)> done) {
  std::vector<StateRecord> records;
  {
    const std::lock_guard lock(mutex_);
    auto record = after < prefix ? records_.lower_bound(prefix) : records_.upper_bound(after);
    for (; record != records_.end() && record->first.starts_with(prefix) && records.size() < count_max; ++record) {
      if (!is_gone(record->second)) records.push_back({record->first, record->second.value, record->second.expires_at_ms});
    }
  }
  done(std::move(records));
}

void MemoryState::expire() {
  const std::lock_guard lock(mutex_);
  for (auto record = records_.begin(); record != records_.end();) {
    if (!is_gone(record->second)) {
      ++record;
      continue;
    }
    bytes_ -= cost(record->first, record->second.value);
    record = records_.erase(record);
  }
}

}  // namespace carillon
