// SimConnection: a TCP connection of the simulated world: torn bytes, delays, short writes, and ends of every kind.
//
// Its two ends are Streams. The server's end calls its handler in turns of a loop, the client's end as a task of the world.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/stream.h"
#include "sim/sim_world.h"

namespace carillon {

struct SimNetworkOptions {
  Millis delay_min{0};
  Millis delay_max{0};
  // Bytes are torn into pieces of 1 to so many, each with a delay of its own; 0: what was written together arrives together.
  std::size_t piece_bytes_max = 0;
  // Of 100 writes, how many take only a part though there is room.
  unsigned short_writes = 0;
  // Bytes on their way and unread; beyond it a write takes no more.
  std::size_t capacity = 64 << 10;
};

class SimConnection : public std::enable_shared_from_this<SimConnection> {
 public:
  enum class Side { kClient, kServer };

  SimConnection(SimWorld& world, const SimNetworkOptions& options, Loop& server_loop, std::size_t number);

  // Once for each side. The connection lives as long as one of them or something on its way.
  std::unique_ptr<Stream> open(Side side);
  // Nothing sent by the client arrives before this.
  void arrive_after(Millis time);

  // The network breaks: what is on its way is lost, both sides are told, each after a delay of its own.
  void cut();
  // The client's machine vanishes: the server is told nothing.
  void vanish();

 private:
  class End;
  friend class End;
  struct State {
    StreamHandler* handler = nullptr;
    Loop* loop = nullptr;
    std::deque<std::string> inbox;  // Arrived.
    std::size_t unread = 0;         // Arrived or on its way to this side.
    Millis next_arrival{0};         // To this side; bytes do not overtake each other.
    bool paused = false;
    bool end_arrived = false, end_told = false;
    bool closed = false;  // By this side.
    bool lost = false;    // To be told, unless closed.
    bool wrote_end = false;
    bool blocked = false;  // A write was short; on_writable is due.
  };

  State& at(Side side) { return sides_[static_cast<int>(side)]; }
  static Side other(Side side) { return side == Side::kClient ? Side::kServer : Side::kClient; }
  void after(Millis delay, Task task) { world_.after(delay, std::move(task)); }
  Millis delay() { return world_.random().between(options_.delay_min, options_.delay_max); }

  std::size_t write(Side from, std::span<const std::string_view> pieces);
  void send(Side from, std::string bytes);
  void arrive(Side to, std::string bytes);
  void end_writing(Side from);
  void close(Side side);
  void lose(Side side);
  // Has the side's handler called for what is there, on its loop.
  void pump(Side side);
  void deliver(Side side);
  void wake(Side writer);
  std::string name(Side to) const;

  SimWorld& world_;
  const SimNetworkOptions options_;
  const std::size_t number_;
  State sides_[2];
  bool vanished_ = false;  // Nothing passes any more, and nobody is told.
};

}  // namespace carillon
