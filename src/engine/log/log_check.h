// Reads all of a log, changing nothing, and says what is wrong with it.
//
// Besides checksums, what we hold of our own records: each channel has its own number; its publications lie between its oldest
// and its top without holes; their times do not fall, their bytes add up, their ids lead to their offsets; nothing belongs to
// nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "engine/log/torn_tail.h"

namespace carillon {

// Told often while something long is done: what, how much of it is done, and how much there is; 0: nobody knows.
using LogProgress = std::function<void(std::string_view what, std::uint64_t done, std::uint64_t total)>;

struct LogCheck {
  std::uint64_t channels = 0;
  std::uint64_t publications = 0;
  std::uint64_t keys = 0;
  std::uint64_t states = 0;
  // The unfinished writes that the next start cuts off: nothing is wrong with them.
  std::vector<TailCut> cuts;
  // Each names its place. At most kFaultsMax of them; fault_count is how many there were.
  std::vector<std::string> faults;
  std::uint64_t fault_count = 0;

  static constexpr std::size_t kFaultsMax = 100;
  bool sound() const { return fault_count == 0; }
  void add_fault(std::string text);
};

// Errors: what keeps it from looking (kNotFound, kConflict: a server runs on it, kForbidden, kInvalid, kUnavailable). No server
// can begin while it looks.
Result<LogCheck> check_log(Files& files, const Clock& clock, Random& random, const std::string& directory,
                           const LogProgress& progress);

}  // namespace carillon
