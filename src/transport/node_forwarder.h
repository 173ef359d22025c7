// NodeForwarder: forwards requests to the nodes that a NodeDirectory lists, over HTTP. One per loop, used there only.
//
// 1. Where a node is, is asked of the directory, and known for a while. 2. The request goes there (transport/http_caller.h),
// and waits as long as its session holds it. 3. While some wait, the directory is asked again and again: those that wait for a
// node that has gone, without its connection breaking, are given back. While the directory cannot be asked, what was known
// holds.
//
// It may be ended when its loop runs no more; the edge, with the clients' connections, ends before it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/counter.h"
#include "hub/node_directory.h"
#include "protocol/node_forward.h"
#include "transport/http_caller.h"

namespace carillon {

class NodeForwarder final : public NodeForward {
 public:
  // The answers of the directory may come on any thread, but no more once the loop has ended.
  NodeForwarder(Loop& loop, Dialer& dialer, NodeDirectory& directory, const HttpCallerOptions& options);
  ~NodeForwarder() override;

  std::uint16_t number() override;
  bool is_elsewhere(std::uint16_t node, const HttpRequest& request) override;
  void forward(std::uint16_t node, ExchangePtr exchange, Back back) override;

  // Written on the loop, read by any thread.
  struct Counters {
    Counter waiting;           // Forwarded and not answered yet.
    Counter forwarded_total;   // All ever.
    Counter unanswered_total;  // Of these: their node was not there, or has gone.
  };
  const Counters& counters() const { return counters_; }

 private:
  // A node that has said where it can be reached.
  struct Known {
    DialTarget address;
    Millis seen_at{0};
  };
  // A request on its way. What ends it, ends its call.
  struct Waiting {
    std::uint16_t node = 0;
    ExchangePtr exchange;
    Back back;
    std::unique_ptr<HttpCaller::Call> call;  // Null: the directory is being asked.
    std::unique_ptr<CallbackTimer> drain_timer;
  };

  void begin(std::uint64_t id);
  std::optional<Waiting> take(std::uint64_t id);
  void call(std::uint64_t id, const DialTarget& to);
  void on_answer(std::uint64_t id, Result<HttpResponse> answer);
  void on_drain(std::uint64_t id);
  void give_back(std::uint64_t id, Unanswered why);
  const Known* known(std::uint16_t node) const;
  void ask();
  void on_listed(const Result<std::vector<NodeRecord>>& listed);
  void on_watch();

  Loop& loop_;
  NodeDirectory& directory_;
  HttpCaller caller_;
  std::uint16_t number_ = 0;
  Millis number_until_{0};
  std::unordered_map<std::uint16_t, Known> nodes_;
  bool asking_ = false;
  std::optional<Millis> listed_at_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, Waiting> waiting_;  // Ends before the caller.
  Counters counters_;
  CallbackTimer watch_timer_;
};

}  // namespace carillon
