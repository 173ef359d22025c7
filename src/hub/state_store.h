// StateStore: small named values that outlive connections, and with a durable engine the process: the state of queue groups,
// durable subscriptions, topics. A part of the engine's port: rooms of engine/ implement it.
//
// Promises of every store, each tested on every store: the changes of one call happen together or not at all; a value is read
// as the last answered change left it; an expired one is read by nobody. Any thread; an answer is given exactly once, inside
// the call or later, on any thread. Errors of all functions: kUnavailable, kLimit (memory or disk is full).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "carillon/result.h"

namespace carillon {

struct StateRecord {
  std::string key;
  std::string value;
  std::int64_t expires_at_ms = 0;  // Unix time from which it is gone; 0: never.
};

struct StateChange {
  std::string key;                   // Up to 1 KiB; what uses the store begins its keys with its own word and a slash.
  std::optional<std::string> value;  // Absent: the key goes. Up to 1 MiB.
  std::int64_t expires_at_ms = 0;
};

class StateStore {
 public:
  virtual ~StateStore() = default;

  // `synced`: answered when a loss of power does not undo it, where the engine keeps anything on a disk; else when a crash of
  // the process does not.
  virtual void change(std::vector<StateChange> changes, bool synced, UniqueFunction<void(Result<void>)> done) = 0;
  virtual void read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) = 0;
  // Records whose keys begin with `prefix`, in the order of their keys after `after`.
  virtual void list(std::string prefix, std::string after, std::size_t count_max,
                    UniqueFunction<void(Result<std::vector<StateRecord>>)> done) = 0;
};

}  // namespace carillon
