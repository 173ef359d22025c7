#include "base/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace carillon {
namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kRoomWithoutCapacity = 1ull << 40;

Error error_at(ErrorKind kind, const std::string& path, std::string_view reason) {
  return Error{kind, fmt::format("cannot use {}: {}", path, reason)};
}

// The names a path is made of; nothing if it is none of this disk's.
std::optional<std::vector<std::string>> names_of(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (name == "." || name == "..") return std::nullopt;
    if (!name.empty()) names.emplace_back(name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

}  // namespace

// A file or a directory, whatever it is called.
struct SimulatedDisk::Node {
  bool directory = false;
  bool locked = false;
  std::int64_t modified_ms = 0;

  // Of a directory: what it holds, and what it holds for sure.
  std::map<std::string, NodePtr> names;
  std::map<std::string, NodePtr> synced_names;

  // Of a file. On the disk for sure: the first `synced_size` bytes, and behind them `cut`, which was truncated away since.
  std::string bytes;
  std::uint64_t synced_size = 0;
  std::string cut;
  std::vector<std::uint64_t> append_ends;  // Of appends since the last sync.
  bool sync_failed = false;

  void truncate(std::uint64_t size) {
    if (size < synced_size) {
      cut.insert(0, bytes, size, synced_size - size);
      synced_size = size;
    }
    bytes.resize(size);
    std::erase_if(append_ends, [size](std::uint64_t end) { return end > size; });
    if (size > synced_size) append_ends.push_back(size);
  }
};

struct SimulatedDisk::Place {
  NodePtr directory;
  std::string name;

  NodePtr node() const {
    const auto found = directory->names.find(name);
    return found == directory->names.end() ? nullptr : found->second;
  }
};

// A node leaves a place, comes to one, or both.
struct SimulatedDisk::NameChange {
  NodePtr node;
  std::optional<Place> from;
  std::optional<Place> to;

  bool touches(const NodePtr& directory) const {
    return (from && from->directory == directory) || (to && to->directory == directory);
  }
  void apply(std::map<std::string, NodePtr> Node::*names) const {
    if (from) {
      auto& held = (*from->directory).*names;
      const auto found = held.find(from->name);
      if (found != held.end() && found->second == node) held.erase(found);
    }
    if (to) ((*to->directory).*names)[to->name] = node;
  }
};

class SimulatedDisk::OpenForAppend final : public FileForAppend {
 public:
  OpenForAppend(SimulatedDisk& disk, NodePtr node, std::string path)
      : disk_(disk), node_(std::move(node)), path_(std::move(path)), boot_(disk.boots_) {}

  Result<void> append(std::string_view bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    if (Result<void> open = still_open(); !open) return open;
    return disk_.append(*node_, path_, bytes);
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_.mutex_);
    if (Result<void> open = still_open(); !open) return open;
    return disk_.sync(*node_, path_);
  }
  Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    if (Result<void> open = still_open(); !open) return open;
    if (Result<void> may = disk_.obstacle_to_change(DiskOperation::kAppend, path_); !may) return may;
    node_->truncate(size);
    return {};
  }
  Result<void> close() override {
    const std::lock_guard lock(disk_.mutex_);
    if (Result<void> open = still_open(); !open) return open;
    closed_ = true;
    return {};
  }
  std::uint64_t size() const override {
    const std::lock_guard lock(disk_.mutex_);
    return node_->bytes.size();
  }

 private:
  Result<void> still_open() const {
    if (boot_ != disk_.boots_) return error_at(ErrorKind::kInternal, path_, "it was opened before the power was lost");
    if (closed_) return error_at(ErrorKind::kInternal, path_, "it is closed");
    return {};
  }

  SimulatedDisk& disk_;
  const NodePtr node_;
  const std::string path_;
  const std::uint64_t boot_;
  bool closed_ = false;
};

class SimulatedDisk::OpenForReading final : public FileForReading {
 public:
  OpenForReading(SimulatedDisk& disk, NodePtr node, std::string path)
      : disk_(disk), node_(std::move(node)), path_(std::move(path)), boot_(disk.boots_) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    const std::lock_guard lock(disk_.mutex_);
    if (boot_ != disk_.boots_) return error_at(ErrorKind::kInternal, path_, "it was opened before the power was lost");
    if (Result<void> may = disk_.obstacle(DiskOperation::kRead, path_); !may) return may.error();
    ++disk_.counts_.reads;
    if (offset >= node_->bytes.size()) return std::size_t{0};
    return node_->bytes.copy(into.data(), into.size(), offset);
  }

 private:
  SimulatedDisk& disk_;
  const NodePtr node_;
  const std::string path_;
  const std::uint64_t boot_;
};

class SimulatedDisk::OpenLock final : public FileLock {
 public:
  OpenLock(SimulatedDisk& disk, NodePtr node) : disk_(disk), node_(std::move(node)), boot_(disk.boots_) {}
  ~OpenLock() override {
    const std::lock_guard lock(disk_.mutex_);
    if (boot_ == disk_.boots_) node_->locked = false;
  }

 private:
  SimulatedDisk& disk_;
  const NodePtr node_;
  const std::uint64_t boot_;
};

SimulatedDisk::SimulatedDisk(std::uint64_t seed) : random_(seed), root_(std::make_shared<Node>()) {
  root_->directory = true;
}

SimulatedDisk::~SimulatedDisk() = default;

// ---- power, room and faults ----

void SimulatedDisk::lose_power() {
  const std::lock_guard lock(mutex_);
  if (power_) cut_power();
}

void SimulatedDisk::restore_power() {
  const std::lock_guard lock(mutex_);
  power_ = true;
}

bool SimulatedDisk::has_power() const {
  const std::lock_guard lock(mutex_);
  return power_;
}

void SimulatedDisk::lose_power_before_change(std::uint64_t n) {
  const std::lock_guard lock(mutex_);
  last_change_.reset();
  if (n > 0) last_change_ = changes_ + n - 1;
}

void SimulatedDisk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void SimulatedDisk::fail_next(DiskFault fault) {
  const std::lock_guard lock(mutex_);
  const DiskOperation operation = fault.operation;
  faults_.insert_or_assign(operation, std::move(fault));
}

DiskCounts SimulatedDisk::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::uint64_t SimulatedDisk::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

void SimulatedDisk::cut_power() {
  power_ = false;
  last_change_.reset();
  ++boots_;
  for (const NameChange& change : unsynced_names_) {
    if (below(2) == 0) change.apply(&Node::synced_names);
  }
  unsynced_names_.clear();
  forget_unsynced(*root_);
}

// A file with several names is seen once for each; from the second time on it has nothing unsynced.
void SimulatedDisk::forget_unsynced(Node& node) {
  node.locked = false;
  node.names = node.synced_names;
  if (!node.directory) forget_unsynced_bytes(node);
  for (const auto& [name, held] : node.names) forget_unsynced(*held);
}

void SimulatedDisk::forget_unsynced_bytes(Node& node) {
  if (!node.cut.empty() && below(2) == 0) {  // The truncation did not reach the disk, nor did what came after it.
    node.bytes.resize(node.synced_size);
    node.bytes += node.cut;
    node.synced_size = node.bytes.size();
  }
  const std::uint64_t unsynced = node.bytes.size() - node.synced_size;
  std::uint64_t kept = 0;
  switch (below(4)) {
    case 0: break;
    case 1: kept = unsynced; break;
    case 2:
      if (!node.append_ends.empty()) kept = node.append_ends[below(node.append_ends.size())] - node.synced_size;
      break;
    default: kept = below(unsynced + 1);
  }
  node.bytes.resize(node.synced_size + kept);
  if (kept > 0 && below(4) == 0) {
    const std::uint64_t last_block = std::max((node.bytes.size() - 1) / kBlock * kBlock, node.synced_size);
    const bool zeroes = below(2) == 0;
    for (std::uint64_t i = last_block + below(node.bytes.size() - last_block); i < node.bytes.size(); ++i) {
      node.bytes[i] = zeroes ? '\0' : static_cast<char>(below(256));
    }
  }
  node.synced_size = node.bytes.size();
  node.cut.clear();
  node.append_ends.clear();
  node.sync_failed = false;
}

Result<void> SimulatedDisk::obstacle(DiskOperation operation, const std::string& path) {
  if (!power_) return error_at(ErrorKind::kInternal, path, "the power is off");
  const auto found = faults_.find(operation);
  if (found == faults_.end() || path.find(found->second.path_part) == std::string::npos) return {};
  DiskFault& fault = found->second;
  if (fault.after > 0) {
    --fault.after;
    return {};
  }
  if (fault.count == 0) return {};
  --fault.count;
  return fault.error;
}

Result<void> SimulatedDisk::obstacle_to_change(DiskOperation operation, const std::string& path) {
  if (power_ && last_change_ && changes_ >= *last_change_) cut_power();
  if (power_) ++changes_;
  return obstacle(operation, path);
}

std::uint64_t SimulatedDisk::used() const {
  std::set<const Node*> files;
  std::vector<const Node*> waiting = {root_.get()};
  std::uint64_t bytes = 0;
  while (!waiting.empty()) {
    const Node* const node = waiting.back();
    waiting.pop_back();
    if (!node->directory && files.insert(node).second) bytes += node->bytes.size();
    for (const auto& [name, held] : node->names) waiting.push_back(held.get());
  }
  return bytes;
}

// ---- bytes ----

Result<void> SimulatedDisk::append(Node& node, const std::string& path, std::string_view bytes) {
  Result<void> done = obstacle_to_change(DiskOperation::kAppend, path);
  if (!power_) return done;
  ++counts_.appends;
  if (!done) bytes = bytes.substr(0, below(bytes.size() + 1));
  if (capacity_) {
    const std::uint64_t taken = used();
    const std::uint64_t room = *capacity_ - std::min(taken, *capacity_);
    if (bytes.size() > room) {
      bytes = bytes.substr(0, room);
      done = error_at(ErrorKind::kLimit, path, "the disk is full");
    }
  }
  counts_.appended_bytes += bytes.size();
  node.bytes += bytes;
  node.append_ends.push_back(node.bytes.size());
  node.modified_ms = static_cast<std::int64_t>(changes_);
  return done;
}

Result<void> SimulatedDisk::sync(Node& node, const std::string& path) {
  Result<void> may = obstacle_to_change(DiskOperation::kSync, path);
  if (!power_) return may;
  ++counts_.syncs;
  if (!may) node.sync_failed = true;
  if (node.sync_failed) return may;
  node.synced_size = node.bytes.size();
  node.cut.clear();
  node.append_ends.clear();
  return {};
}

// ---- names ----

Result<SimulatedDisk::NodePtr> SimulatedDisk::find(const std::string& path) const {
  if (!power_) return error_at(ErrorKind::kInternal, path, "the power is off");
  const auto names = names_of(path);
  if (!names) return error_at(ErrorKind::kInvalid, path, "this disk knows no . and ..");
  NodePtr node = root_;
  for (const std::string& name : *names) {
    if (!node->directory) return error_at(ErrorKind::kInvalid, path, "a part of it is no directory");
    const auto found = node->names.find(name);
    if (found == node->names.end()) return error_at(ErrorKind::kNotFound, path, "no such file or directory");
    node = found->second;
  }
  return node;
}

Result<SimulatedDisk::Place> SimulatedDisk::place_of(const std::string& path) const {
  const auto names = names_of(path);
  if (!names || names->empty()) return error_at(ErrorKind::kInvalid, path, "it cannot be a name");
  const std::size_t end = path.rfind(names->back());
  Result<NodePtr> directory = find(path.substr(0, end));
  if (!directory) return Error{directory.error().kind, fmt::format("{} (for {})", directory.error().text, path)};
  if (!(*directory)->directory) return error_at(ErrorKind::kInvalid, path, "a part of it is no directory");
  return Place{std::move(*directory), names->back()};
}

void SimulatedDisk::change_name(NameChange change) {
  change.apply(&Node::names);
  unsynced_names_.push_back(std::move(change));
}

Result<SimulatedDisk::NodePtr> SimulatedDisk::find_or_make(const std::string& path) {
  if (Result<void> may = obstacle_to_change(DiskOperation::kName, path); !may) return may.error();
  Result<Place> place = place_of(path);
  if (!place) return place.error();
  NodePtr node = place->node();
  if (node != nullptr && node->directory) return error_at(ErrorKind::kInvalid, path, "it is a directory");
  if (node == nullptr) {
    node = std::make_shared<Node>();
    node->modified_ms = static_cast<std::int64_t>(changes_);
    change_name({.node = node, .from = std::nullopt, .to = std::move(*place)});
  }
  return node;
}

Result<std::unique_ptr<FileForAppend>> SimulatedDisk::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Result<NodePtr> node = find_or_make(path);
  if (!node) return node.error();
  (*node)->truncate(0);
  return std::unique_ptr<FileForAppend>(std::make_unique<OpenForAppend>(*this, std::move(*node), path));
}

Result<std::unique_ptr<FileForAppend>> SimulatedDisk::append_to(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Result<NodePtr> node = find_or_make(path);
  if (!node) return node.error();
  return std::unique_ptr<FileForAppend>(std::make_unique<OpenForAppend>(*this, std::move(*node), path));
}

Result<std::unique_ptr<FileForReading>> SimulatedDisk::read_from(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Result<NodePtr> node = find(path);
  if (!node) return node.error();
  if ((*node)->directory) return error_at(ErrorKind::kInvalid, path, "it is a directory");
  return std::unique_ptr<FileForReading>(std::make_unique<OpenForReading>(*this, std::move(*node), path));
}

Result<std::unique_ptr<FileLock>> SimulatedDisk::lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Result<NodePtr> node = find_or_make(path);
  if (!node) return node.error();
  if ((*node)->locked) return error_at(ErrorKind::kConflict, path, "another holds it");
  (*node)->locked = true;
  return std::unique_ptr<FileLock>(std::make_unique<OpenLock>(*this, std::move(*node)));
}

Result<FileInfo> SimulatedDisk::info(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Result<NodePtr> node = find(path);
  if (!node) return node.error();
  return FileInfo{.size = (*node)->bytes.size(), .modified_ms = (*node)->modified_ms, .directory = (*node)->directory};
}

Result<std::vector<std::string>> SimulatedDisk::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const Result<NodePtr> node = find(directory);
  if (!node) return node.error();
  if (!(*node)->directory) return error_at(ErrorKind::kInvalid, directory, "it is no directory");
  std::vector<std::string> names;
  for (const auto& [name, held] : (*node)->names) names.push_back(name);
  return names;
}

Result<void> SimulatedDisk::make_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (Result<void> may = obstacle_to_change(DiskOperation::kName, path); !may) return may;
  Result<Place> place = place_of(path);
  if (!place) return place.error();
  if (place->node() != nullptr) return error_at(ErrorKind::kConflict, path, "it exists");
  auto node = std::make_shared<Node>();
  node->directory = true;
  node->modified_ms = static_cast<std::int64_t>(changes_);
  change_name({.node = std::move(node), .from = std::nullopt, .to = std::move(*place)});
  return {};
}

Result<void> SimulatedDisk::remove_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return take_name(path, true);
}

Result<void> SimulatedDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return take_name(path, false);
}

Result<void> SimulatedDisk::take_name(const std::string& path, bool directory) {
  if (Result<void> may = obstacle_to_change(DiskOperation::kName, path); !may) return may;
  Result<Place> place = place_of(path);
  if (!place) return place.error();
  NodePtr node = place->node();
  if (node == nullptr) return error_at(ErrorKind::kNotFound, path, "no such file or directory");
  if (node->directory != directory) return error_at(ErrorKind::kInvalid, path, directory ? "no directory" : "a directory");
  if (!node->names.empty()) return error_at(ErrorKind::kConflict, path, "the directory is not empty");
  change_name({.node = std::move(node), .from = std::move(*place), .to = std::nullopt});
  return {};
}

Result<void> SimulatedDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (Result<void> may = obstacle_to_change(DiskOperation::kName, to); !may) return may;
  Result<Place> source = place_of(from);
  Result<Place> target = place_of(to);
  if (!source) return source.error();
  if (!target) return target.error();
  NodePtr node = source->node();
  const NodePtr replaced = target->node();
  if (node == nullptr) return error_at(ErrorKind::kNotFound, from, "no such file or directory");
  if (node == replaced) return {};
  if (replaced != nullptr && replaced->directory != node->directory) {
    return error_at(ErrorKind::kInvalid, to, "a file and a directory do not replace each other");
  }
  if (replaced != nullptr && !replaced->names.empty()) return error_at(ErrorKind::kConflict, to, "the directory is not empty");
  change_name({.node = std::move(node), .from = std::move(*source), .to = std::move(*target)});
  return {};
}

Result<void> SimulatedDisk::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (Result<void> may = obstacle_to_change(DiskOperation::kName, to); !may) return may;
  Result<NodePtr> node = find(from);
  if (!node) return node.error();
  if ((*node)->directory) return error_at(ErrorKind::kForbidden, from, "it is a directory");
  Result<Place> target = place_of(to);
  if (!target) return target.error();
  if (target->node() != nullptr) return error_at(ErrorKind::kConflict, to, "it exists");
  change_name({.node = std::move(*node), .from = std::nullopt, .to = std::move(*target)});
  return {};
}

Result<void> SimulatedDisk::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (Result<void> may = obstacle_to_change(DiskOperation::kSync, path); !may) return may;
  const Result<NodePtr> node = find(path);
  if (!node) return node.error();
  if (!(*node)->directory) return error_at(ErrorKind::kInvalid, path, "it is no directory");
  ++counts_.directory_syncs;
  std::erase_if(unsynced_names_, [&](const NameChange& change) {
    if (!change.touches(*node)) return false;
    change.apply(&Node::synced_names);
    return true;
  });
  return {};
}

Result<std::uint64_t> SimulatedDisk::free_bytes(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Result<NodePtr> node = find(path);
  if (!node) return node.error();
  if (!capacity_) return kRoomWithoutCapacity;
  return *capacity_ - std::min(used(), *capacity_);
}

}  // namespace carillon
