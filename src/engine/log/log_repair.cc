#include "engine/log/log_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "engine/log/channel_repair.h"
#include "engine/log/log_salvage.h"
#include "engine/log/log_store.h"

namespace carillon {
namespace {

constexpr std::size_t kCopied = 1u << 20;  // At a time.

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Result<void> copy_file(Files& files, const std::string& from, const std::string& to, std::uint64_t size) {
  const Result<std::unique_ptr<FileForReading>> source = files.read_from(from);
  if (!source) return source.error();
  const Result<std::unique_ptr<FileForAppend>> target = files.create(to);
  if (!target) return target.error();
  std::string bytes;
  for (std::uint64_t offset = 0; offset < size; offset += bytes.size()) {
    bytes.resize(std::min<std::uint64_t>(kCopied, size - offset));
    const Result<std::size_t> got = (*source)->read(offset, bytes);
    if (!got) return got.error();
    if (*got == 0) break;
    bytes.resize(*got);
    if (Result<void> written = (*target)->append(bytes); !written) return written;
  }
  if (Result<void> synced = (*target)->sync(); !synced) return synced;
  return (*target)->close();
}

// With all that is in it; it may not be there.
Result<void> remove_tree(Files& files, const std::string& directory) {
  const Result<std::vector<std::string>> names = files.list(directory);
  if (!names && names.error().kind == ErrorKind::kNotFound) return {};
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    const Result<FileInfo> info = files.info(path);
    if (!info) return info.error();
    if (Result<void> gone = info->directory ? remove_tree(files, path) : files.remove(path); !gone) return gone;
  }
  return files.remove_directory(directory);
}

// The files of a directory that are files; directories of RocksDB's and ours are left where they are.
Result<std::vector<std::string>> plain_files(Files& files, const std::string& directory) {
  const Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return names.error();
  std::vector<std::string> plain;
  for (const std::string& name : *names) {
    const Result<FileInfo> info = files.info(directory + "/" + name);
    if (!info) return info.error();
    if (!info->directory) plain.push_back(name);
  }
  return plain;
}

bool is_ours(const std::string& name) {
  return name == "carillon.lock" || name == "unfinished";
}

Result<void> move_files(Files& files, const std::string& from, const std::string& to) {
  const Result<std::vector<std::string>> names = plain_files(files, from);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (is_ours(name)) continue;
    if (Result<void> moved = files.rename(from + "/" + name, to + "/" + name); !moved) return moved;
  }
  if (Result<void> synced = files.sync_directory(to); !synced) return synced;
  return files.sync_directory(from);
}

class Repairer {
 public:
  Repairer(Files& files, const Clock& clock, Random& random, const std::string& directory, const LogProgress& progress)
      : files_(files), clock_(clock), random_(random), directory_(directory), progress_(progress) {}

  Result<LogRepair> repair() {
    if (!repair_is_unfinished(files_, directory_)) {
      Result<void> made = make_copy();
      if (made) made = fill_copy();
      if (made) made = begin_moving();
      if (!made) {
        static_cast<void>(remove_tree(files_, copy_));
        return made.error();
      }
    }
    if (Result<void> moved = move(); !moved) return moved.error();
    return std::move(report_);
  }

 private:
  // ---- 1. The copy ----

  Result<void> make_copy() {
    if (Result<void> removed = remove_tree(files_, copy_); !removed) return removed;
    const Result<LogSalvage> found =
        salvage_logs(files_, directory_, [](std::size_t, std::string_view) { return Result<void>(); });
    if (!found) return found.error();
    damages_ = found->damage.size();
    for (const LogDamage& damage : found->damage) {
      report_.add_lost(fmt::format("{}, byte {}: {}", damage.file, damage.offset, damage.what));
    }
    if (Result<void> made = files_.make_directory(copy_); !made) return made;
    const Result<std::vector<std::string>> names = plain_files(files_, directory_);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      if (is_ours(name)) continue;
      progress_("copying " + name, 0, 0);
      if (Result<void> copied = copy(name, found->sound_bytes); !copied) return copied;
    }
    return files_.sync_directory(copy_);
  }

  Result<void> copy(const std::string& name, const std::map<std::string, std::uint64_t>& sound_bytes) {
    const std::string from = directory_ + "/" + name, to = copy_ + "/" + name;
    if (name.ends_with(".sst")) return files_.link(from, to);
    const Result<FileInfo> info = files_.info(from);
    if (!info) return info.error();
    if (!name.ends_with(".log")) return copy_file(files_, from, to, info->size);
    const auto sound = sound_bytes.find(from);
    return sound == sound_bytes.end() ? Result<void>() : copy_file(files_, from, to, sound->second);
  }

  // ---- 2. What it has ----

  Result<void> fill_copy() {
    const Result<bool> whole = tables_are_whole();
    if (!whole) return whole.error();
    if (!*whole) {
      if (Result<void> apart = take_apart(); !apart) return apart;
    }
    Result<std::unique_ptr<LogStore>> store = open_copy({});
    if (!store) return store.error();
    if (!*whole) {
      if (Result<void> read = read_parts(**store); !read) return read;
    }
    ChannelTrust trust{.positions_known = channels_whole_, .damaged = damages_ > 0};
    const Result<LogSalvage> salvaged =
        salvage_logs(files_, directory_, [&](std::size_t damages, std::string_view record) -> Result<void> {
          if (damages == damages_) {  // Behind the last.
            for (std::string& name : channels_changed_by(record)) trust.known.insert(std::move(name));
          }
          const bool is_there = *whole && damages == 0;
          return is_there ? Result<void>() : (*store)->write_again(record);
        });
    if (!salvaged) return salvaged.error();
    return repair_channels(**store, random_, trust, progress_, report_);
  }

  // Whether the copy is a database with nothing wrong but what its write-ahead logs lack. Damaged tables are removed.
  Result<bool> tables_are_whole() {
    const Result<std::unique_ptr<LogStore>> store = open_copy({.only_read = true});
    if (!store) {
      if (store.error().kind != ErrorKind::kCorrupt && store.error().kind != ErrorKind::kNotFound) return store.error();
      report_.add_lost(store.error().text);
      channels_whole_ = false;
      const Result<std::vector<std::string>> names = plain_files(files_, copy_);
      if (!names) return names.error();
      for (const std::string& name : *names) {
        if (!name.ends_with(".sst")) continue;
        if (Result<void> looked = look_at_table({.path = copy_ + "/" + name}); !looked) return looked.error();
      }
      return false;
    }
    const std::size_t lost = report_.lost.size();
    for (const LogTable& table : (*store)->tables()) {
      if (Result<void> looked = look_at_table(table); !looked) return looked.error();
    }
    return report_.lost.size() == lost;
  }

  Result<void> look_at_table(const LogTable& table) {
    progress_("checksums of " + name_of(table.path), 0, 0);
    if (LogStore::verify(files_, table.path)) return {};
    report_.add_lost(
        fmt::format("{}: a damaged table{}", name_of(table.path),
                    table.family.empty() ? "" : fmt::format(" of {} bytes, of the {}", table.bytes, table.family)));
    if (table.family == "channels") channels_whole_ = false;
    return files_.remove(table.path);
  }

  // Tables go into a directory of their own, out of which a new database is filled; the write-ahead logs' records are written
  // to it again.
  Result<void> take_apart() {
    progress_("rebuilding", 0, 0);
    if (Result<void> made = files_.make_directory(parts_); !made) return made;
    const Result<std::vector<std::string>> names = plain_files(files_, copy_);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      const std::string path = copy_ + "/" + name;
      has_parts_ = has_parts_ || name.ends_with(".sst");
      Result<void> gone = name.ends_with(".sst") ? files_.rename(path, parts_ + "/" + name) : files_.remove(path);
      if (!gone) return gone;
    }
    return {};
  }

  Result<void> read_parts(LogStore& into) {
    if (has_parts_) {
      if (Result<void> read = LogStore::read_tables(files_, parts_, into); !read) return read;
    }
    return remove_tree(files_, parts_);
  }

  Result<std::unique_ptr<LogStore>> open_copy(LogStoreOptions options) {
    options.directory = copy_;
    options.key_ms = kReceiptsForEver;
    return LogStore::open(files_, clock_, random_, options);
  }

  // ---- 4. Moving ----

  Result<void> begin_moving() {
    const Result<std::unique_ptr<FileForAppend>> mark = files_.create(unfinished_path(directory_));
    if (!mark) return mark.error();
    const Result<void> written = (*mark)->append(
        fmt::format("a repair of the log in {0} was interrupted; `carillon log check {0} --repair` finishes it\n", directory_));
    if (!written) return written;
    if (Result<void> synced = (*mark)->sync(); !synced) return synced;
    return files_.sync_directory(directory_);
  }

  Result<void> move() {
    if (files_.info(copy_)) {
      const Result<std::string> kept = directory_for_damaged();
      if (!kept) return kept.error();
      if (Result<void> moved = move_files(files_, directory_, *kept); !moved) return moved;
      if (Result<void> renamed = files_.rename(copy_, whole_); !renamed) return renamed;
      if (Result<void> synced = files_.sync_directory(directory_); !synced) return synced;
    }
    if (files_.info(whole_)) {
      if (Result<void> moved = move_files(files_, whole_, directory_); !moved) return moved;
    }
    if (report_.kept_in.empty()) report_.kept_in = fmt::format("{}/damaged-{}", directory_, newest_damaged());
    if (Result<void> removed = files_.remove(unfinished_path(directory_)); !removed) return removed;
    if (Result<void> synced = files_.sync_directory(directory_); !synced) return synced;
    return remove_tree(files_, whole_);
  }

  std::uint64_t newest_damaged() const {
    std::uint64_t number = 0;
    while (files_.info(fmt::format("{}/damaged-{}", directory_, number + 1))) ++number;
    return number;
  }

  Result<std::string> directory_for_damaged() {
    report_.kept_in = fmt::format("{}/damaged-{}", directory_, newest_damaged() + 1);
    if (const Result<void> made = files_.make_directory(report_.kept_in); !made) return made.error();
    return report_.kept_in;
  }

  Files& files_;
  const Clock& clock_;
  Random& random_;
  const std::string directory_;
  const LogProgress& progress_;
  const std::string copy_ = directory_ + "/repairing";
  const std::string parts_ = copy_ + "/parts";
  const std::string whole_ = directory_ + "/repaired";
  std::size_t damages_ = 0;  // Of the write-ahead logs.
  bool has_parts_ = false;
  bool channels_whole_ = true;  // No table of the channels is lost.
  LogRepair report_;
};

}  // namespace

void LogRepair::add_lost(std::string line) {
  ++lost_lines;
  if (lost.size() < kLinesMax) lost.push_back(std::move(line));
}

bool repair_is_unfinished(Files& files, const std::string& directory) {
  return files.info(unfinished_path(directory)) &&
         (files.info(directory + "/repairing") || files.info(directory + "/repaired"));
}

Result<LogRepair> repair_log(Files& files, const Clock& clock, Random& random, const std::string& directory,
                             const LogProgress& progress) {
  const Result<std::unique_ptr<FileLock>> lock = LogStore::lock(files, directory);
  if (!lock) return lock.error();
  if (files.info(unfinished_path(directory)) && !repair_is_unfinished(files, directory)) {
    return Error{ErrorKind::kInvalid, fmt::format("an import into {} was interrupted: empty it, and import again", directory)};
  }
  return Repairer(files, clock, random, directory, progress).repair();
}

}  // namespace carillon
