// SimulatedDisk: a disk for tests (base/file.h), in memory, that loses power, fills up and fails when it is told to.
//
// It promises what file.h promises and no more. What a file had at its last sync, and the names a directory had at its last
// sync, survive a loss of power. Of what was appended since, some beginning survives: it may end within an append, and the last
// of it may be garbage. Of the names made, renamed and removed since, each change may have happened or not; a rename is never
// half of one. What does, is drawn from the seed. A file or directory whose name is lost is lost, however well it was synced.
//
// Paths begin at the disk's root, with a slash or without; "." and ".." are refused as kInvalid. Any thread; one mutex. Files
// and locks that were opened on it end before it does.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <random>

#include "base/file.h"

namespace carillon {

enum class DiskOperation {
  kAppend,  // A part of the bytes may be there afterwards.
  kSync,    // Of a file: what it should have synced stays unsynced for good, though later syncs succeed, as Linux does it.
            // Of a directory: nothing happens.
  kRead,
  kName,  // Opening for appending, making, renaming, linking, removing.
};

// Calls to let pass, then calls that fail.
struct DiskFault {
  DiskOperation operation = DiskOperation::kAppend;
  Error error;
  std::uint64_t after = 0;
  std::uint64_t count = 1;
  std::string path_part;  // Only of paths that contain it, only they are counted.
};

struct DiskCounts {
  std::uint64_t appends = 0;
  std::uint64_t appended_bytes = 0;
  std::uint64_t syncs = 0;  // Of files.
  std::uint64_t directory_syncs = 0;
  std::uint64_t reads = 0;
};

class SimulatedDisk final : public Files {
 public:
  explicit SimulatedDisk(std::uint64_t seed);
  ~SimulatedDisk() override;

  // Every call fails as kInternal until restore_power(), so that whoever still runs changes nothing. What was open before fails
  // for ever; its locks are free.
  void lose_power();
  void restore_power();
  bool has_power() const;
  // Loses it instead of the n-th change from now: an append, a sync, a truncation, a change of names. 0: not at all.
  void lose_power_before_change(std::uint64_t n);

  // Appends beyond it write what fits and fail as kLimit. Names cost nothing.
  void set_capacity(std::uint64_t bytes);
  // Replaces an earlier fault of the same operation.
  void fail_next(DiskFault fault);
  DiskCounts counts() const;
  // Changes so far, as lose_power_before_change() counts them.
  std::uint64_t changes() const;

  Result<std::unique_ptr<FileForAppend>> create(const std::string& path) override;
  Result<std::unique_ptr<FileForAppend>> append_to(const std::string& path) override;
  Result<std::unique_ptr<FileForReading>> read_from(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<void> remove(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;

 private:
  struct Node;
  struct Place;
  struct NameChange;
  class OpenForAppend;
  class OpenForReading;
  class OpenLock;
  using NodePtr = std::shared_ptr<Node>;

  Result<NodePtr> find(const std::string& path) const;
  Result<Place> place_of(const std::string& path) const;
  Result<NodePtr> find_or_make(const std::string& path);
  void change_name(NameChange change);
  Result<void> take_name(const std::string& path, bool directory);

  // What stands in the way of an operation: no power, an object from before it was lost, a fault that is due.
  Result<void> obstacle(DiskOperation operation, const std::string& path);
  Result<void> obstacle_to_change(DiskOperation operation, const std::string& path);
  Result<void> append(Node& node, const std::string& path, std::string_view bytes);
  Result<void> sync(Node& node, const std::string& path);
  std::uint64_t used() const;
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  void cut_power();
  void forget_unsynced(Node& node);
  void forget_unsynced_bytes(Node& node);

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  NodePtr root_;
  std::vector<NameChange> unsynced_names_;  // In the order they happened.
  bool power_ = true;
  std::uint64_t boots_ = 0;  // How often power was lost; what was opened under another number is dead.
  std::uint64_t changes_ = 0;
  std::optional<std::uint64_t> last_change_;
  std::optional<std::uint64_t> capacity_;
  std::map<DiskOperation, DiskFault> faults_;
  DiskCounts counts_;
};

}  // namespace carillon
