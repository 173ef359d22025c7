#include "sim/sim_world.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"

namespace carillon {
namespace {

constexpr std::int64_t kUnixStartMs = 1'750'000'000'000;
// Turns and tasks at one moment; beyond it something goes round in circles.
constexpr int kAtOnceMax = 100'000;

}  // namespace

// SplitMix64 (public domain, Sebastiano Vigna).
void SimRandom::fill(std::span<std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    std::uint64_t word = (state_ += 0x9E3779B97F4A7C15u);
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9u;
    word = (word ^ word >> 27) * 0x94D049BB133111EBu;
    word ^= word >> 31;
    for (int byte = 0; byte < 8 && i < bytes.size(); ++byte) bytes[i++] = static_cast<std::uint8_t>(word >> 8 * byte);
  }
}

Millis SimRandom::between(Millis least, Millis most) {
  return least + Millis(below(static_cast<std::uint64_t>((most - least).count()) + 1));
}

SimWorld::SimWorld(std::uint64_t seed) : random_(seed) {
  set_name_hash_seed(seed);
  set_log_level(LogLevel::kError);
}

// What is thrown away may close connections, which makes further tasks.
SimWorld::~SimWorld() {
  loops_.clear();
  while (!tasks_.empty()) tasks_.extract(tasks_.begin());
}

ManualLoop& SimWorld::add_loop() {
  loops_.push_back(std::make_unique<ManualLoop>(now_));
  return *loops_.back();
}

void SimWorld::after(Millis delay, Task task) {
  tasks_.emplace(std::pair{now_ + delay, ++task_count_}, std::move(task));
}

bool SimWorld::step(Millis end) {
  Millis next = end + Millis{1};
  if (!tasks_.empty()) next = std::min(next, std::max(now_, tasks_.begin()->first.first));
  for (const auto& loop : loops_) {
    const Millis wait = loop->until_next_timer();
    if (wait >= Millis{0}) next = std::min(next, now_ + std::max(wait, Millis{1}));
  }
  if (next > end) return false;
  now_ = next;
  for (const auto& loop : loops_) loop->set_now(now_);
  for (int count = 0; !tasks_.empty() && tasks_.begin()->first.first <= now_; ++count) {
    CHECK(count < kAtOnceMax);
    auto task = tasks_.extract(tasks_.begin());
    task.mapped()();
  }
  for (const auto& loop : loops_) {
    if (loop->until_next_timer() == Millis{0}) loop->turn();
  }
  settle();
  return true;
}

void SimWorld::settle() {
  for (int count = 0;; ++count) {
    CHECK(count < kAtOnceMax);
    std::vector<ManualLoop*> busy;
    for (const auto& loop : loops_) {
      if (!loop->idle()) busy.push_back(loop.get());
    }
    if (busy.empty()) return;
    busy[busy.size() == 1 ? 0 : random_.below(busy.size())]->turn();
  }
}

void SimWorld::run_for(Millis span) {
  const Millis end = now_ + span;
  settle();
  while (step(end)) continue;
  now_ = end;
  for (const auto& loop : loops_) loop->set_now(now_);
}

bool SimWorld::run_until(const std::function<bool()>& done, Millis most) {
  const Millis end = now_ + most;
  settle();
  while (!done()) {
    if (step(end)) continue;
    now_ = end;
    for (const auto& loop : loops_) loop->set_now(now_);
    return done();
  }
  return true;
}

void SimWorld::note(std::string_view who, std::string_view bytes) {
  if (transcript_ == nullptr) return;
  *transcript_ += fmt::format("{} {} {}\n", now_.count(), who, bytes);
}

std::int64_t SimWorld::unix_ms() const {
  return kUnixStartMs + now_.count();
}

}  // namespace carillon
