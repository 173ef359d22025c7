// NodeDirectory: the servers that share one channel space, and messages between them. A part of the engine's port: rooms of
// engine/ implement it; engines of one process have none.
//
// Any thread; an answer is given exactly once, inside the call or later, on any thread. Errors of all: kUnavailable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_function.h"
#include "carillon/result.h"

namespace carillon {

struct NodeRecord {
  std::string name;          // Unique among the nodes and over time: a server that starts again is another node.
  std::uint16_t number = 0;  // From 1, unique among the nodes that live; may be used again later.
  std::string address;       // Where the other nodes reach its HTTP port: "http://10.0.0.5:8080"; empty: they cannot.
  std::int64_t started_at_ms = 0;
  std::string stats;  // One JSON object, as its last renewal said.
};

// Messages of other nodes. Called in the order each sender sent them, on any thread; must not block.
class NodeEvents {
 public:
  virtual void on_node_message(std::string_view from, std::string_view message) = 0;

 protected:
  ~NodeEvents() = default;
};

class NodeDirectory {
 public:
  virtual ~NodeDirectory() = default;

  // Set once, before anything else.
  virtual void set_events(NodeEvents& events) = 0;
  // This node, as far as it is known: `number` is 0 until the directory has given it one.
  virtual NodeRecord self() const = 0;
  // Says what this node's record holds from now on; its lease is the presence lease's.
  virtual void describe(std::string address, std::string stats) = 0;
  virtual void list(UniqueFunction<void(Result<std::vector<NodeRecord>>)> done) = 0;
  // To one node, or, with an empty name, to all others. Not kept: who is not connected does not hear it. `done` hears how many
  // nodes were told.
  virtual void send(std::string to, std::string message, UniqueFunction<void(Result<std::size_t>)> done) = 0;
};

}  // namespace carillon
