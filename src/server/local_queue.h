// LocalQueue: the messages that wait for a client in this program, between the hub's loop and the client's thread.
//
// Holds frames as LocalFraming writes them: whole messages, each after its length. One frame is taken in whole or not at all.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace carillon {

// Four bytes, most significant first, go before each message.
inline constexpr std::size_t kLocalLengthBytes = 4;
void append_local_length(std::string& out);               // Makes room for it at the end,
void set_local_length(std::string& out, std::size_t at);  // and fills it in, once the message stands behind it.
std::size_t local_length(std::string_view bytes);

class LocalQueue {
 public:
  explicit LocalQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // --- The hub's loop

  // False: it is full, and a later take() says when to go on. An empty queue takes a frame of any size.
  bool offer(std::string_view frame);
  // Takes it however full it is: the last words before close(), which the outbox has bounded.
  void push(std::string_view frame);
  // What waits can still be taken. Idempotent; the first reason stays.
  void close(std::string_view reason);

  // --- The client's thread

  struct Taken {
    std::optional<std::string> message;  // Nothing: none came in time, or closed and empty.
    bool has_room = false;               // A frame was refused, and there is room again: say so to the hub's loop.
  };
  Taken take(std::chrono::milliseconds wait);

  // --- Any thread

  bool closed() const;
  std::string close_reason() const;

 private:
  void push_locked(std::string_view frame);

  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> frames_;
  std::size_t taken_of_first_ = 0;  // Bytes of the first frame that have been taken.
  std::size_t bytes_ = 0;
  bool refused_ = false;
  bool closed_ = false;
  std::string close_reason_;
};

}  // namespace carillon
