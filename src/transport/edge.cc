#include "transport/edge.h"

#include <algorithm>

#include "base/id.h"
#include "base/log.h"
#include "transport/http_connection.h"
#include "wire/http/http_response_writer.h"

namespace carillon {
namespace {

constexpr Millis kDrainStep{20};
// Connections that may be told that there is no room; more are dropped at once.
constexpr std::size_t kRefusalsMax = 256;
constexpr std::size_t kScratchBytesKept = 64 << 10;

}  // namespace

Edge::Edge(EdgeShared& shared, Loop& loop, const Clock& clock, Random& random, FrameMemory& frame_memory)
    : shared_(shared),
      loop_(loop),
      clock_(clock),
      frame_memory_(frame_memory),
      encodings_(shared.options.compress_from),
      request_id_(hex_text(random.next_u64()) + hex_text(0)),
      drain_timer_([this] { drain_some(); }) {}

// The loop has stopped: nothing is left for its end of turn.
Edge::~Edge() {
  while (!connections_.empty()) {
    const std::unique_ptr<Connection> connection(&connections_.front());
    connections_.pop_front();
  }
}

void Edge::start() {
  loop_.schedule(*this, sweep_period());
}

void Edge::on_stream(std::unique_ptr<Stream> stream) {
  counters_.accepted_total.add();
  const std::size_t before = shared_.connections.load(std::memory_order_relaxed);
  if (before >= options().connections_max && refusal_log_.may_write(loop_.now())) {
    log_warning("connection refused: there are connections_max={} already; others_unlogged={}", options().connections_max,
                refusal_log_.take_left_out());
  }
  if (before >= options().connections_max + kRefusalsMax) {
    counters_.refused_total.add();
    return stream->close();
  }
  auto connection = std::make_unique<HttpConnection>(*this, std::move(stream));
  HttpConnection& added = *connection;
  add(std::move(connection));
  if (before < options().connections_max) return;
  counters_.refused_total.add();
  HttpResponse response =
      HttpResponse::error(503, "unavailable", "the server has all the connections it may have; try again later");
  response.headers.add("Retry-After", "5");
  added.refuse(std::move(response));
}

void Edge::add(std::unique_ptr<Connection> connection) {
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
  counters_.connections.add();
  connections_.push_back(*connection.release());
}

void Edge::remove(Connection& connection) {
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  counters_.connections.subtract();
  connections_.erase(connections_.iterator_to(connection));
  loop_.dispose(std::unique_ptr<Disposable>(&connection));
}

void Edge::replace(Connection& connection, std::unique_ptr<Connection> successor) {
  connections_.push_back(*successor.release());
  connections_.erase(connections_.iterator_to(connection));
  loop_.dispose(std::unique_ptr<Disposable>(&connection));
}

// Often enough that every limit of time is met within a quarter of it.
Millis Edge::sweep_period() const {
  const EdgeOptions& o = options();
  const Millis shortest = std::min({o.request_time, o.keep_alive_time, o.stall_time, o.ping_interval, o.idle_time, o.close_time,
                                    o.room_time, Millis{8'000}});
  return std::max(shortest / 4, Millis{50});
}

void Edge::on_timer() {
  const Millis now = loop_.now();
  for (auto next = connections_.begin(); next != connections_.end();) {
    Connection& connection = *next++;  // It may end in the call.
    connection.on_sweep(now);
  }
  loop_.schedule(*this, sweep_period());
}

void Edge::drain(Millis time, Task done) {
  draining_ = true;
  drained_ = std::move(done);
  drain_ends_ = loop_.now() + time;
  // Not before this turn's end: whatever was published until now is delivered ahead of any goodbye.
  loop_.schedule(drain_timer_, Millis{0});
}

// Walks through the connections at an even pace; each is moved to the end of the list once it was told.
void Edge::drain_some() {
  const Millis now = loop_.now();
  if (connections_.empty() || now >= drain_ends_ + options().close_time) {
    while (!connections_.empty()) remove(connections_.front());
    if (drained_) std::exchange(drained_, {})();
    return;
  }
  const Millis left = drain_ends_ - now;
  const std::size_t waiting = connections_.size();
  const std::size_t steps_left = left > Millis{0} ? static_cast<std::size_t>(left / kDrainStep) + 1 : 1;
  for (std::size_t told = 0; told < (waiting + steps_left - 1) / steps_left && !connections_.empty(); ++told) {
    Connection& connection = connections_.front();
    connections_.splice(connections_.end(), connections_, connections_.begin());
    connection.on_drain();
  }
  loop_.schedule(drain_timer_, kDrainStep);
}

std::string_view Edge::date() {
  const std::int64_t second = clock_.unix_ms() / 1000;
  if (second != std::exchange(date_second_, second)) date_ = http_date(second);
  return date_;
}

std::string_view Edge::next_request_id() {
  constexpr int kDigits = 16;  // Behind what all ids of this edge begin with.
  write_hex(request_id_next_++, request_id_.data() + request_id_.size() - kDigits, kDigits);
  return request_id_;
}

std::unique_ptr<HttpRequestParser> Edge::take_parser() {
  return parser_ == nullptr ? std::make_unique<HttpRequestParser>(options().http) : std::move(parser_);
}

std::string& Edge::scratch() {
  if (scratch_.capacity() > kScratchBytesKept) scratch_ = {};
  scratch_.clear();
  return scratch_;
}

std::uint32_t Edge::deciseconds() const {
  return static_cast<std::uint32_t>(loop_.now() / Millis{100}) | 1u;
}

}  // namespace carillon
