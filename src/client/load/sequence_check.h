// SequenceCheck: whether a subscriber hears every publish of its channel, once and in order.
//
// Publish n goes to channel n modulo `topics`. When a channel has several publishers ("lanes", taking turns), only each lane's
// order is promised, so each is checked by itself. One thread.
#pragma once

#include <cstdint>
#include <vector>

namespace carillon {

class SequenceCheck {
 public:
  enum class Verdict { kInOrder, kGap, kDuplicate };

  SequenceCheck(std::uint32_t subscribers, std::uint32_t topics, std::uint32_t lanes)
      : topics_(topics), lanes_(lanes), next_(std::size_t{subscribers} * lanes) {
    for (std::uint32_t subscriber = 0; subscriber < subscribers; ++subscriber) {
      for (std::uint32_t lane = 0; lane < lanes; ++lane) {
        next_[std::size_t{subscriber} * lanes + lane] = subscriber % topics + lane * topics;
      }
    }
  }

  // Subscriber s hears channel s modulo `topics`.
  Verdict on_delivered(std::uint32_t subscriber, std::uint32_t sequence) {
    std::uint32_t& next = next_[std::size_t{subscriber} * lanes_ + sequence / topics_ % lanes_];
    if (sequence < next) return Verdict::kDuplicate;
    const Verdict verdict = sequence == next ? Verdict::kInOrder : Verdict::kGap;
    next = sequence + topics_ * lanes_;
    return verdict;
  }

 private:
  const std::uint32_t topics_;
  const std::uint32_t lanes_;
  std::vector<std::uint32_t> next_;
};

}  // namespace carillon
