// The memory engine's state store: gone with the process.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "hub/state_store.h"

namespace carillon {

class MemoryState final : public StateStore {
 public:
  // Bytes of keys and values, about; beyond it changes that add anything fail with kLimit.
  static constexpr std::size_t kBytesMax = 256u << 20;

  explicit MemoryState(const Clock& clock) : clock_(clock) {}

  void change(std::vector<StateChange> changes, bool synced, UniqueFunction<void(Result<void>)> done) override;
  void read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) override;
  void list(std::string prefix, std::string after, std::size_t count_max,
            UniqueFunction<void(Result<std::vector<StateRecord>>)> done) override;

  // Drops what has expired. To be called every few seconds, any thread.
  void expire();

 private:
  struct Kept {
    std::string value;
    std::int64_t expires_at_ms = 0;
  };
  bool is_gone(const Kept& kept) const;

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Kept, std::less<>> records_;
  std::size_t bytes_ = 0;
};

}  // namespace carillon
