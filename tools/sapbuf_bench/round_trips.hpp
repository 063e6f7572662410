// The times of round trips between two processes; what is told is half of each, one way, without the look at the clock that is in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "report.hpp"

namespace sapbuf::bench {

struct Percentiles {
  double p50 = 0;
  double p99 = 0;
};

// Of so many round trips, before which a tenth of them is to warm up.
class RoundTrips {
 public:
  explicit RoundTrips(unsigned count) : count_(count) { figures_.reserve(count); }
  std::uint64_t total() const noexcept { return count_ + count_ / 10; }
  void begin() noexcept { begin_ = Clock::now(); }
  void end() {
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin_;
    if (++ended_ > total() - count_) figures_.push_back(took.count() / 2);
  }
  std::uint64_t ended() const noexcept { return ended_; }
  Percentiles halves() {
    const double of_clock = clock_ns() / 2;
    return {percentile(figures_, 50) - of_clock, percentile(figures_, 99) - of_clock};
  }

 private:
  using Clock = std::chrono::steady_clock;

  // From one look at the clock to the next.
  static double clock_ns() {
    std::vector<double> looks;
    for (auto before = Clock::now(); looks.size() < 1000;) {
      const auto after = Clock::now();
      looks.push_back(std::chrono::duration<double, std::nano>(after - before).count());
      before = after;
    }
    return percentile(looks, 50);
  }

  const unsigned count_;
  std::vector<double> figures_;
  Clock::time_point begin_{};
  std::uint64_t ended_ = 0;
};

}  // namespace sapbuf::bench
