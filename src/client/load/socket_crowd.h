// SocketCrowd: many WebSocket or HTTP clients on one epoll set, for load only. One thread: all of it happens within poll().
//
// It opens the connections a few at a time, takes those of WebSockets through the upgrade, scans what comes by frame headers or
// answers' heads, answers pings, and hands everything else to its handler. It keeps no read buffer per connection, and checks
// of the server only what tells it that the two speak the same protocol. Connections to a loopback address come from many
// addresses in 127.0.0.0/8, since one address has only some 28 000 ports.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "client/load/answer_scanner.h"
#include "client/load/frame_scanner.h"

namespace carillon {

class CrowdHandler {
 public:
  // The member is connected, and its WebSocket open.
  virtual void on_open(std::uint32_t member) = 0;
  // A whole data frame has arrived (text, binary or a continuation).
  virtual void on_frame(std::uint32_t member, const ScannedFrame& frame) = 0;
  // A whole answer has arrived, to a member without a WebSocket.
  virtual void on_answer(std::uint32_t /*member*/, const ScannedAnswer& /*answer*/) {}
  // The member's connection failed or ended. The last call for it.
  virtual void on_gone(std::uint32_t member, std::string_view why) = 0;

 protected:
  ~CrowdHandler() = default;
};

// Where the crowd connects to. Filled by resolve_target.
struct CrowdTarget {
  sockaddr_in address{};
  std::string authority;  // What the Host header says.
  std::string path;
};

// Takes apart `ws://host[:port][/path]`. Refuses other schemes, and hosts without an IPv4 address.
Result<CrowdTarget> resolve_target(std::string_view url);

// Raises the soft limit of open files to the hard one; returns what it is then.
std::uint64_t allow_many_sockets();

class SocketCrowd {
 public:
  struct Options {
    CrowdTarget target;
    std::uint32_t connecting_max = 128;                   // Connections being opened at once; the rest wait for their turn.
    std::size_t frame_head_max = FrameScanner::kHeadMax;  // How much of each frame is shown to the handler.
  };

  static Result<std::unique_ptr<SocketCrowd>> make(CrowdHandler& handler, Options options);
  ~SocketCrowd();

  // The next member; members are numbered from 0. It is connected by poll(), with this path in place of the target's. Not to be
  // called by the handler.
  std::uint32_t add(std::string path);
  // The same without an upgrade: what the handler sends are whole HTTP requests.
  std::uint32_t add_plain();

  // Handles what happened; waits up to that long for something to happen. Returns how many connections had something to say.
  int poll(std::uint64_t wait_ns);

  // Sends bytes of whole frames or requests. What the kernel does not take waits in memory, without limit: who publishes in
  // a closed loop bounds it.
  void send(std::uint32_t member, std::string_view frames);

  // Ends a member's connection at once (by a reset, which leaves no port waiting). No handler call follows.
  void drop(std::uint32_t member);

  // Members that are waiting for a connection or an upgrade.
  std::size_t under_way() const { return waiting_.size() - next_waiting_ + connecting_; }

  static std::uint64_t clock_ns();  // CLOCK_MONOTONIC.

  // The clock when the bytes at hand were read, or the last poll() ended.
  std::uint64_t now_ns() const { return now_ns_; }
  std::uint64_t reads() const { return reads_; }
  std::uint64_t idle_ns() const { return idle_ns_; }  // How long poll() found nothing to do.

 private:
  enum class State : std::uint8_t { kWaiting, kConnecting, kUpgrading, kOpen, kGone };

  struct Member {
    int fd = -1;
    State state = State::kWaiting;
    FrameScanner frames;
    AnswerScanner answers;                 // Of a member without a WebSocket.
    bool plain = false;                    // Such a one.
    std::unique_ptr<std::string> unsent;   // Null when there is none.
    std::unique_ptr<std::string> request;  // The upgrade's path, later its answer's head, until upgraded.
  };

  SocketCrowd(CrowdHandler& handler, Options options, int epoll_fd);

  void start_waiting();
  Result<void> start(std::uint32_t member);
  void on_event(std::uint32_t member, std::uint32_t events);
  void on_connected(std::uint32_t member);
  void ask_for_upgrade(std::uint32_t member);
  void open(std::uint32_t member);
  void on_writable(std::uint32_t member);
  void on_readable(std::uint32_t member);
  void on_bytes(std::uint32_t member, std::string_view bytes);
  std::string_view on_upgrade_answer(std::uint32_t member, std::string_view bytes);
  void on_scanned(std::uint32_t member, const ScannedFrame& frame);
  void watch(std::uint32_t member, bool writable);
  void lose(std::uint32_t member, std::string_view why);
  void close(Member& member);

  CrowdHandler& handler_;
  const Options options_;
  const int epoll_fd_;
  std::vector<Member> members_;
  std::vector<std::uint32_t> waiting_;
  std::size_t next_waiting_ = 0;
  std::size_t connecting_ = 0;
  std::vector<char> buffer_;  // One for all: a read is scanned before the next one is made.
  std::uint64_t now_ns_;
  std::uint64_t reads_ = 0;
  std::uint64_t idle_ns_ = 0;
};

}  // namespace carillon
