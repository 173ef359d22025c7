// Edge: one loop's edge to the clients: it accepts connections, owns them, and holds what they share.
//
// On its loop only, except where said. Timeouts and heartbeats are found by a sweep over all connections, so that an idle one
// needs no timer of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log_limit.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/stream.h"
#include "hub/frame.h"
#include "transport/connection.h"
#include "transport/framed_encodings.h"
#include "transport/origins.h"
#include "transport/router.h"
#include "wire/deflate/inflater.h"
#include "wire/http/http_request_parser.h"

namespace carillon {

struct EdgeOptions {
  HttpLimits http;
  Millis request_time{30'000};         // First to last byte of a request; then 408.
  Millis keep_alive_time{75'000};      // Between requests; then closed.
  Millis stall_time{60'000};           // Taking nothing of what waits; then closed.
  Millis linger_time{2'000};           // For the peer to close after we have.
  std::size_t connections_max = 1024;  // Of all edges together; beyond it 503 with Retry-After.
  std::size_t message_bytes_max = 1 << 20;
  Millis ping_interval{25'000};
  Millis idle_time{60'000};
  Millis close_time{5'000};
  Millis room_time{60'000};  // The shortest that a room asks for (WebSocketAcceptance); only the sweep heeds it.
  bool compression = true;
  std::size_t compress_from = 128;
};

struct EdgeCounters {
  Counter connections;    // Now, of every kind.
  Counter websockets;     // Now.
  Counter event_streams;  // Now.
  Counter accepted_total;
  Counter refused_total;          // For lack of room.
  Counter handshakes_total;       // WebSocket.
  Counter requests_total[6];      // By the status' first digit.
  Counter faults_total;           // Requests that were no HTTP, or too large or slow.
  Counter protocol_errors_total;  // WebSocket connections failed for what their peer sent.
  Counter timeouts_total;         // Peers that went silent or stalled.
};

// What the edges of all loops share.
struct EdgeShared {
  EdgeOptions options;
  Origins origins{{}, false};
  std::atomic<std::size_t> connections{0};
};

class Edge final : public StreamAcceptor, private Timer {
 public:
  Edge(EdgeShared& shared, Loop& loop, const Clock& clock, Random& random, FrameMemory& frame_memory);
  ~Edge() override;

  // Begins to sweep. On the loop's thread, or before it runs.
  void start();
  void on_stream(std::unique_ptr<Stream> stream) override;

  // Says goodbye to every connection, spread over `time`; then drops what is left and calls `done`.
  void drain(Millis time, Task done);

  // For connections.
  void add(std::unique_ptr<Connection> connection);
  // Frees it at the turn's end.
  void remove(Connection& connection);
  // The successor carries on with the same peer: one connection before and after, for all who count.
  void replace(Connection& connection, std::unique_ptr<Connection> successor);

  const EdgeOptions& options() const { return shared_.options; }
  const Origins& origins() const { return shared_.origins; }
  Router& router() { return router_; }
  Loop& loop() { return loop_; }
  FrameMemory& frame_memory() { return frame_memory_; }
  FramedEncodings& encodings() { return encodings_; }
  PerMessageInflater& inflater() { return inflater_; }
  EdgeCounters& counters() { return counters_; }
  const EdgeCounters& counters() const { return counters_; }
  bool draining() const { return draining_; }

  // "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
  std::string_view date();
  // Unique, not secret: 32 hexadecimal digits. Valid until the next call.
  std::string_view next_request_id();
  // One that has read nothing yet, and the way back for such a one.
  std::unique_ptr<HttpRequestParser> take_parser();
  void give_back(std::unique_ptr<HttpRequestParser> parser) { parser_ = std::move(parser); }
  // An empty text to write something into that is sent before anybody else asks for it.
  std::string& scratch();
  // Deciseconds of the loop's clock in 32 bits, for small timestamps; never 0.
  std::uint32_t deciseconds() const;

 private:
  using Connections = boost::intrusive::list<Connection>;

  void on_timer() override;
  Millis sweep_period() const;
  void drain_some();

  EdgeShared& shared_;
  Loop& loop_;
  const Clock& clock_;
  FrameMemory& frame_memory_;
  Router router_;
  FramedEncodings encodings_;
  PerMessageInflater inflater_;
  EdgeCounters counters_;
  Connections connections_;
  std::int64_t date_second_ = -1;
  std::string date_;
  std::string request_id_;  // The last one.
  std::uint64_t request_id_next_ = 0;
  std::unique_ptr<HttpRequestParser> parser_;  // For the next connection that reads; may be null.
  std::string scratch_;

  LogLimit refusal_log_{Millis{10'000}};
  bool draining_ = false;
  Millis drain_ends_{0};
  Task drained_;
  CallbackTimer drain_timer_;
};

}  // namespace carillon
