// NodeCalls: what this node asks the others to do too, and what they ask of it: disconnect a user, announce, close a channel.
//
// Any thread, unless said otherwise; it works on the first shard's loop. Messages are texts of fields, each with its length:
// the kind, then what the kind needs.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "hub/node_directory.h"

namespace carillon {

class Hub;

class NodeCalls final : private NodeEvents {
 public:
  // A node that has not answered after so long is counted as having nothing.
  static constexpr Millis kAnswerTime{2000};
  // Questions under way; one more is not asked of the others.
  static constexpr std::size_t kAskingMax = 1000;

  NodeCalls(Hub& hub, Loop& loop, NodeDirectory& nodes);
  ~NodeCalls();

  using Call = std::vector<std::string>;
  void tell(const Call& call);
  // `done`, called on `loop`, hears the sum of what the other nodes answered.
  void ask(const Call& call, Loop& loop, UniqueFunction<void(std::size_t)> done);

 private:
  struct Question {
    std::size_t told = 0;  // Nodes; 0: not known yet.
    std::size_t answered = 0;
    std::size_t sum = 0;
    Loop* loop;
    UniqueFunction<void(std::size_t)> done;
    CallbackTimer timer;
  };

  void on_node_message(std::string_view from, std::string_view message) override;
  void take(const std::string& from, const Call& message);
  void begin(std::uint64_t id, Loop& loop, std::string message, UniqueFunction<void(std::size_t)> done);
  void take_told(std::uint64_t id, std::size_t told);
  void take_answer(std::uint64_t id, std::size_t count);
  void finish(std::uint64_t id);
  void obey(const Call& call, UniqueFunction<void(std::size_t)> done);

  Hub& hub_;
  Loop& loop_;
  NodeDirectory& nodes_;
  std::uint64_t last_id_ = 0;
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Question>> questions_;
};

// A call as bytes, and back; absent where they are none.
std::string pack_node_call(const NodeCalls::Call& call);
std::optional<NodeCalls::Call> unpack_node_call(std::string_view bytes);

}  // namespace carillon
