// RocksDB's way to the disk, through ours (base/file.h), so that a simulated disk can be under it.
//
// A full disk becomes RocksDB's NoSpace, from which it recovers by itself or by DB::Resume(). Reading ahead is RocksDB's own;
// what it has no use for here (memory mapping, direct I/O, preallocation, log files in its own format) is refused or does
// nothing. So a database opens only with an Options::info_log of the caller's. Any thread; no thread of its own.
//
// Before RocksDB begins a new write-ahead log, the one before it is synced, and its name: a loss of power leaves no hole
// between two of them.
#pragma once

#include <memory>

#include "base/file.h"

namespace rocksdb {
class Env;
}

namespace carillon {

// `files` outlives it, and it every database that uses it. Include <rocksdb/env.h> to own one.
std::unique_ptr<rocksdb::Env> make_rocks_env(Files& files);

}  // namespace carillon
