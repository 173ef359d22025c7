// What the measurements of the engines share: words of the command line, and publishers in a closed loop through the engine's
// port.
#pragma once

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "hub/engine.h"

namespace carillon {

// The first word says what to do; behind it come names and values in turn.
using Flags = std::map<std::string, std::string>;
inline Flags read_flags(int count, char** words) {
  Flags flags;
  for (int i = 2; i + 1 < count; i += 2) flags[std::string(words[i]).substr(2)] = words[i + 1];
  return flags;
}
inline std::string text(const Flags& flags, const std::string& name, const std::string& otherwise) {
  const auto found = flags.find(name);
  return found == flags.end() ? otherwise : found->second;
}
inline std::uint64_t number(const Flags& flags, const std::string& name, std::uint64_t otherwise) {
  const auto found = flags.find(name);
  return found == flags.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 10);
}
[[noreturn]] inline void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
// Of this process, all its threads.
inline double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

inline Draft draft_of(const std::string& channel, const Bytes& payload) {
  return {.channel = channel, .event = "message", .payload = payload, .format = PayloadFormat::kJson};
}

// So many publishers, each with one publish under way: the next is made when it is answered, there and then, or with
// `elsewhere` by the thread that calls run().
class Publishers {
 public:
  struct Outcome {
    std::uint64_t answered = 0;
    double seconds = 0;
    double processor_seconds = 0;

    double per_second() const { return static_cast<double>(answered) / seconds; }
    double processor_us() const { return 1e6 * processor_seconds / static_cast<double>(answered); }
  };

  Publishers(Engine& engine, std::string channel, std::uint64_t bytes, bool elsewhere)
      : engine_(engine),
        channel_(std::move(channel)),
        elsewhere_(elsewhere),
        payload_(Bytes::copy_of(std::string(bytes, 'x'))) {}

  // Measures for that time, and then waits for those under way.
  Outcome run(std::uint64_t count, double seconds) {
    const double begin = seconds_now(), processor_before = processor_seconds();
    for (std::uint64_t i = 0; i < count; ++i) publish();
    if (elsewhere_) {
      while (seconds_now() - begin < seconds) {
        for (std::uint64_t again = take(); again > 0; --again) publish();
      }
    } else {
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    }
    const Outcome outcome{
        .answered = answered_, .seconds = seconds_now() - begin, .processor_seconds = processor_seconds() - processor_before};
    ending_ = true;
    for (std::uint64_t left = count; left > 0;) left -= take();
    return outcome;
  }

 private:
  void publish() {
    engine_.publish(draft_of(channel_, payload_), [this](const Result<Receipt>& outcome) {
      if (!outcome) give_up(outcome.error().text);
      answered_.fetch_add(1, std::memory_order_relaxed);
      if (!elsewhere_ && !ending_) return publish();
      const std::lock_guard lock(mutex_);
      if (to_take_++ == 0) there_.notify_one();
    });
  }
  std::uint64_t take() {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [this] { return to_take_ > 0; });
    return std::exchange(to_take_, 0);
  }

  Engine& engine_;
  const std::string channel_;
  const bool elsewhere_;
  const Bytes payload_;
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::condition_variable there_;
  std::uint64_t to_take_ = 0;
};

}  // namespace carillon
