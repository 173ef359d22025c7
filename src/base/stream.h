// Stream: connected bytes, whatever carries them (TCP, simulated). Used on one loop only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace carillon {

struct PeerAddress {
  std::string text;       // "127.0.0.1:5000", "[::1]:5000".
  bool loopback = false;  // 127.0.0.0/8 or ::1: the peer runs on this machine.
};

class StreamHandler {
 public:
  // Bytes that arrived. Valid during the call only; may be altered in place (WebSocket unmasks there).
  virtual void on_bytes(std::span<char> bytes) = 0;
  // The peer will send nothing more; it may still read.
  virtual void on_end() = 0;
  // After a short write: there is room again.
  virtual void on_writable() = 0;
  // The connection is gone (reset, error). The last call. Not made after close().
  virtual void on_lost() = 0;

 protected:
  ~StreamHandler() = default;
};

class Stream {
 public:
  virtual ~Stream() = default;

  // Whoever handles this stream from now on. Must be set before the turn ends in which the stream was made.
  virtual void set_handler(StreamHandler& handler) = 0;

  // Sends the pieces in order, gathered; returns how many bytes were taken. When fewer than all, on_writable follows.
  virtual std::size_t write(std::span<const std::string_view> pieces) = 0;

  // While paused no on_bytes comes, and the peer is held up by TCP itself.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;

  // Tells the peer that nothing more comes; reading goes on.
  virtual void shutdown_write() = 0;
  // Ends both directions. No handler call follows. Idempotent.
  virtual void close() = 0;

  virtual PeerAddress peer() const = 0;
};

// Takes connections that arrive on a listener.
class StreamAcceptor {
 public:
  virtual void on_stream(std::unique_ptr<Stream> stream) = 0;

 protected:
  ~StreamAcceptor() = default;
};

}  // namespace carillon
