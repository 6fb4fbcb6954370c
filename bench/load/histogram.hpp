// Latencies without loss of the tail: a histogram of fixed size whose buckets are never wider than 1.6 % of their
// value, like HdrHistogram. Recording is an addition, so it costs the measured run nothing.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace resultsync::bench {

class Histogram {
 public:
  void record(std::uint64_t value) {
    ++counts_[bucket_of(value)];
    ++count_;
    max_ = std::max(max_, value);
  }

  // The smallest recorded value (to the width of its bucket) that `share` of all values do not exceed; 0 if there are
  // none.
  [[nodiscard]] std::uint64_t quantile(double share) const {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen > rank || (seen == count_ && seen > 0)) return std::min(upper_bound_of(bucket), max_);
    }
    return 0;
  }

  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  // Values below 64 have a bucket each; above, every power of two is cut into 64 equal ones.
  static constexpr unsigned kSubBits = 6;
  static constexpr std::uint64_t kSub = 1U << kSubBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSub) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return static_cast<std::size_t>((shift + 1) * kSub + ((value >> shift) - kSub));
  }
  static std::uint64_t upper_bound_of(std::size_t bucket) {
    if (bucket < kSub) return bucket;
    const auto shift = static_cast<unsigned>(bucket / kSub) - 1;
    return ((kSub + bucket % kSub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) * kSub> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace resultsync::bench
