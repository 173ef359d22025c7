// Makes a log of the text of one (log_export.h). Positions, ids and times stay; a text that is exported again is the same.
//
// Everything is checked before it is written: a line that is not understood, that does not follow from the one before or that
// contradicts itself is refused, and nothing is skipped. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/log/log_store.h"
#include "wire/json/json_slicer.h"

namespace carillon {

class LogImport {
 public:
  // Into a directory that is empty or not there; kConflict when something is in it. `files` outlives the import.
  static Result<std::unique_ptr<LogImport>> begin(Files& files, const Clock& clock, Random& random,
                                                  const std::string& directory);
  // Without finish() what was made is removed again.
  ~LogImport();
  LogImport(const LogImport&) = delete;
  LogImport& operator=(const LogImport&) = delete;

  // The next line, without its end. kInvalid: what is wrong with it; nothing more can be done then.
  Result<void> add(std::string_view line);
  // After the last. kInvalid: something is missing at the end.
  Result<void> finish();

  std::uint64_t publications() const { return publications_; }

 private:
  class Line;
  LogImport(Files& files, std::string directory) : files_(files), directory_(std::move(directory)) {}

  Result<void> add_head(Line& line);
  Result<void> add_channel(Line& line);
  Result<void> add_publication(Line& line);
  Result<void> add_key(Line& line);
  Result<void> add_state(Line& line);
  Result<void> end_channel();
  Result<void> write_when_much();
  Result<void> write(bool synced);

  Files& files_;
  const std::string directory_;
  std::unique_ptr<LogStore> store_;
  std::optional<LogBatch> batch_;
  JsonSlicer slicer_{{.depth_max = 1024}};
  std::optional<std::uint64_t> epoch_;  // The first line's.
  std::string channel_;                 // That whose publications come; empty: none.
  LogChannelRecord record_;
  std::int64_t first_ms_ = 0;  // The time of its oldest.
  std::uint64_t next_ = 0;     // The offset that must come.
  std::uint64_t next_number_ = 1;
  std::uint64_t publications_ = 0;
  bool made_directory_ = false;
  bool finished_ = false;
};

}  // namespace carillon
