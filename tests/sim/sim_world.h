// SimWorld: the time, the chance and the loops of one simulated run. One thread; everything that happens follows from the seed.
//
// Things of the world outside (bytes on their way, clients, faults) are tasks at a time; what they cause on a loop is posted to
// that loop and happens in its turn. Loops whose turn it is at the same moment take it in an order chosen by chance.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/manual_loop.h"
#include "base/random.h"

namespace carillon {

class SimRandom final : public Random {
 public:
  explicit SimRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;
  bool chance(unsigned percent) { return below(100) < percent; }
  // Between the two, both included.
  Millis between(Millis least, Millis most);

 private:
  std::uint64_t state_;
};

class SimWorld final : private Clock {
 public:
  // Names are hashed by the seed too, so that no two runs differ. No other world may be alive.
  explicit SimWorld(std::uint64_t seed);
  ~SimWorld() override;

  Millis now() const { return now_; }
  SimRandom& random() { return random_; }
  const Clock& clock() const { return *this; }
  // Lives as long as the world.
  ManualLoop& add_loop();

  void after(Millis delay, Task task);
  void run_for(Millis span);
  // False: it did not come true within that time.
  bool run_until(const std::function<bool()>& done, Millis most);
  // Lets the loops take turns until none has anything to do, without time passing.
  void settle();

  // Everything that was carried, in order, when `keep_transcript` was called before.
  void keep_transcript() { transcript_ = std::make_unique<std::string>(); }
  void note(std::string_view who, std::string_view bytes);
  const std::string& transcript() const { return *transcript_; }

 private:
  std::int64_t unix_ms() const override;
  // Goes to the next thing that happens, if that is not after `end`.
  bool step(Millis end);

  SimRandom random_;
  Millis now_{1'000};
  std::map<std::pair<Millis, std::uint64_t>, Task> tasks_;
  std::uint64_t task_count_ = 0;
  std::vector<std::unique_ptr<ManualLoop>> loops_;
  std::unique_ptr<std::string> transcript_;
};

}  // namespace carillon
