// LatencyHistogram: counts durations in buckets that grow with the duration, so that any quantile is known to within 1/64 of
// itself in a few kilobytes, whatever was counted. One thread.
#pragma once

#include <cstdint>
#include <vector>

namespace carillon {

class LatencyHistogram {
 public:
  void add(std::uint64_t nanoseconds);
  void clear();

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  // The duration that the share `q` of those counted did not pass, 0 when none was counted. q in [0, 1].
  std::uint64_t quantile(double q) const;

 private:
  static constexpr unsigned kStepsLog2 = 6;  // Each power of two is divided into 64 steps.
  static constexpr std::size_t kBuckets = (64 - kStepsLog2 + 1) << kStepsLog2;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t last_in(std::size_t bucket);

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(kBuckets);
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace carillon
