// What a crash, a full disk or a loss of power does to RocksDB's write-ahead logs, undone before RocksDB opens them.
//
// A log whose last record is not whole is cut behind the last that is; RocksDB can then be told to accept nothing but whole
// logs (WALRecoveryMode::kAbsoluteConsistency), so that other damage never passes for such an end:
//
// - Bytes that are no record, with a whole record behind them in the same log.
// - Bytes that are no record at the end of a log, when a newer log has records. An end that is merely missing is no damage
//   there: a full disk leaves one, and RocksDB goes on in the next log.
// - A log that does not go on where the older one ends, or the tables do, by the sequence numbers of the records: what lay
//   between is lost. A loss of power does not do that: rocks_files.h syncs a log before the next one begins.
//
// Logs that RocksDB does not need any more, by its manifest, are left alone, whatever is in them. The manifest's end is cut as
// a log's is: what is not whole there was never synced, so RocksDB has not yet acted on it.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace carillon {

struct TailCut {
  std::string file;  // Its path.
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // How many there were behind.
};

struct TailReport {
  std::vector<TailCut> cuts;  // The manifest's, if any, then the newest log's first.
};

// What is to be cut. kCorrupt: damage, as above; the text names file and offset. Else the errors of Files. No process may have
// the database open.
Result<TailReport> find_torn_tail(Files& files, const std::string& directory);
// The same, and cuts it, unless there is damage. Cuts are synced; a crash within leaves what the next call finishes.
Result<TailReport> cut_torn_tail(Files& files, const std::string& directory);

}  // namespace carillon
