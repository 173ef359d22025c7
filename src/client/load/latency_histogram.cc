#include "client/load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace carillon {

void LatencyHistogram::add(std::uint64_t nanoseconds) {
  ++buckets_[bucket_of(nanoseconds)];
  ++count_;
  max_ = std::max(max_, nanoseconds);
}

void LatencyHistogram::clear() {
  *this = {};
}

std::uint64_t LatencyHistogram::quantile(double q) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return std::min(last_in(bucket), max_);
  }
  return max_;
}

// Below 64 every value has its own bucket; above, the bits behind the highest one choose the step.
std::size_t LatencyHistogram::bucket_of(std::uint64_t value) {
  if (value < (1u << kStepsLog2)) return static_cast<std::size_t>(value);
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kStepsLog2;
  return static_cast<std::size_t>((std::uint64_t{shift} << kStepsLog2) + (value >> shift));
}

std::uint64_t LatencyHistogram::last_in(std::size_t bucket) {
  if (bucket < (2u << kStepsLog2)) return bucket;
  const std::size_t shift = (bucket >> kStepsLog2) - 1;
  const std::uint64_t step = (bucket & ((1u << kStepsLog2) - 1)) + (1u << kStepsLog2);
  return ((step + 1) << shift) - 1;
}

}  // namespace carillon
