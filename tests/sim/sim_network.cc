#include "sim/sim_network.h"

#include <fmt/format.h>

#include <algorithm>

namespace carillon {

class SimConnection::End final : public Stream {
 public:
  End(std::shared_ptr<SimConnection> connection, Side side) : connection_(std::move(connection)), side_(side) {}
  ~End() override { connection_->close(side_); }

  void set_handler(StreamHandler& handler) override { connection_->at(side_).handler = &handler; }
  std::size_t write(std::span<const std::string_view> pieces) override { return connection_->write(side_, pieces); }
  void pause_reading() override { connection_->at(side_).paused = true; }
  void resume_reading() override {
    if (std::exchange(connection_->at(side_).paused, false)) connection_->pump(side_);
  }
  void shutdown_write() override { connection_->end_writing(side_); }
  void close() override { connection_->close(side_); }
  PeerAddress peer() const override {
    return {.text = fmt::format("127.0.0.1:{}", 40'000 + connection_->number_ % 20'000), .loopback = true};
  }

 private:
  const std::shared_ptr<SimConnection> connection_;
  const Side side_;
};

SimConnection::SimConnection(SimWorld& world, const SimNetworkOptions& options, Loop& server_loop, std::size_t number)
    : world_(world), options_(options), number_(number) {
  at(Side::kServer).loop = &server_loop;
}

std::unique_ptr<Stream> SimConnection::open(Side side) {
  return std::make_unique<End>(shared_from_this(), side);
}

void SimConnection::arrive_after(Millis time) {
  at(Side::kServer).next_arrival = time;
}

// --- Bytes

// As a socket: while a short write waits for room, it takes nothing.
std::size_t SimConnection::write(Side from, std::span<const std::string_view> pieces) {
  State& writer = at(from);
  if (writer.closed || writer.wrote_end || writer.blocked) return 0;
  std::size_t offered = 0;
  for (const std::string_view piece : pieces) offered += piece.size();
  if (offered == 0) return 0;
  const State& reader = at(other(from));
  const std::size_t room = options_.capacity - std::min(options_.capacity, reader.unread);
  std::size_t taken = std::min(offered, room);
  if (taken > 0 && world_.random().chance(options_.short_writes)) taken = world_.random().below(taken);
  std::string bytes;
  bytes.reserve(taken);
  for (const std::string_view piece : pieces) bytes += piece.substr(0, taken - bytes.size());
  if (taken < offered) writer.blocked = true;
  if (taken > 0) send(from, std::move(bytes));
  if (taken < offered && taken < room) wake(from);
  return taken;
}

void SimConnection::send(Side from, std::string bytes) {
  const Side to = other(from);
  at(to).unread += bytes.size();
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t most = options_.piece_bytes_max == 0 ? bytes.size() : 1 + world_.random().below(options_.piece_bytes_max);
    std::string piece = bytes.substr(begin, most);
    begin += piece.size();
    Millis& arrival = at(to).next_arrival;
    arrival = std::max(arrival, world_.now() + delay());
    after(arrival - world_.now(),
          [self = shared_from_this(), to, piece = std::move(piece)]() mutable { self->arrive(to, std::move(piece)); });
  }
}

void SimConnection::arrive(Side to, std::string bytes) {
  State& reader = at(to);
  if (reader.lost || vanished_) return;
  if (reader.closed) return lose(other(to));  // Nobody is there: a reset (RFC 9293, section 3.10.7.1).
  reader.inbox.push_back(std::move(bytes));
  pump(to);
}

void SimConnection::pump(Side side) {
  State& state = at(side);
  if (state.loop == nullptr) return after(Millis{0}, [self = shared_from_this(), side] { self->deliver(side); });
  state.loop->post([self = shared_from_this(), side] { self->deliver(side); });
}

// A handler may close, pause or hand over the stream in any call.
void SimConnection::deliver(Side side) {
  State& state = at(side);
  while (!vanished_ && !state.closed && !state.lost && !state.paused && state.handler != nullptr && !state.inbox.empty()) {
    std::string bytes = std::move(state.inbox.front());
    state.inbox.pop_front();
    state.unread -= bytes.size();
    if (at(other(side)).blocked) wake(other(side));
    world_.note(name(side), bytes);
    state.handler->on_bytes(bytes);
  }
  if (state.closed || state.handler == nullptr || vanished_) return;
  if (state.lost) {
    world_.note(name(side), "lost");
    state.closed = true;
    return state.handler->on_lost();
  }
  if (!state.end_arrived || state.end_told || state.paused || !state.inbox.empty()) return;
  state.end_told = true;
  world_.note(name(side), "end");
  state.handler->on_end();
}

void SimConnection::wake(Side writer) {
  after(delay(), [self = shared_from_this(), writer] {
    State& state = self->at(writer);
    const auto tell = [self, writer] {
      State& now = self->at(writer);
      if (now.closed || now.lost || self->vanished_ || !std::exchange(now.blocked, false)) return;
      now.handler->on_writable();
    };
    if (state.loop == nullptr) return tell();
    state.loop->post(tell);
  });
}

// --- Ends

void SimConnection::end_writing(Side from) {
  if (std::exchange(at(from).wrote_end, true)) return;
  const Side to = other(from);
  Millis& arrival = at(to).next_arrival;
  arrival = std::max(arrival, world_.now() + delay());
  after(arrival - world_.now(), [self = shared_from_this(), to] {
    self->at(to).end_arrived = true;
    self->pump(to);
  });
}

// What was written still arrives, unless there are bytes that were not read: then the peer hears a reset.
void SimConnection::close(Side side) {
  State& state = at(side);
  if (std::exchange(state.closed, true)) return;
  state.handler = nullptr;
  end_writing(side);
  if (!std::exchange(state.inbox, {}).empty()) after(delay(), [self = shared_from_this(), side] { self->lose(other(side)); });
}

void SimConnection::lose(Side side) {
  State& state = at(side);
  if (std::exchange(state.lost, true)) return;
  state.inbox.clear();
  pump(side);
}

void SimConnection::cut() {
  for (const Side side : {Side::kClient, Side::kServer}) {
    at(side).lost = true;
    at(side).inbox.clear();
    after(delay(), [self = shared_from_this(), side] { self->pump(side); });
  }
}

void SimConnection::vanish() {
  vanished_ = true;
}

std::string SimConnection::name(Side to) const {
  return fmt::format("{}{}", number_, to == Side::kServer ? '>' : '<');
}

}  // namespace carillon
