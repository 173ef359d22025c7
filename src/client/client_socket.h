// ClientSocket: one blocking TCP connection to a server, every wait of it with a time limit. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

class ClientSocket {
 public:
  // Tries the host's addresses one after the other, each for `time_max`. Errors: kUnavailable, naming host and port.
  static Result<ClientSocket> connect(const std::string& host, std::uint16_t port, std::chrono::milliseconds time_max);

  ClientSocket(ClientSocket&& other) noexcept;
  ClientSocket& operator=(ClientSocket&& other) noexcept;
  ~ClientSocket();

  // All of it, or an error; each wait for room lasts at most `time_max`.
  Result<void> write(std::string_view bytes, std::chrono::milliseconds time_max);

  struct Read {
    std::size_t count = 0;
    bool ended = false;      // The server will send nothing more.
    bool timed_out = false;  // Nothing came in time.
  };
  Result<Read> read(std::span<char> into, std::chrono::milliseconds time_max);
  // Until there is something to read here or from the other descriptor (-1: there is none); true: from the other.
  Result<bool> wait(int other_descriptor, std::chrono::milliseconds time_max);

 private:
  explicit ClientSocket(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

// From the operating system's generator.
std::string random_bytes(std::size_t count);
std::uint32_t random_u32();
std::uint64_t random_u64();

}  // namespace carillon
