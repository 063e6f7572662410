// When each message of a recording is due again.
#pragma once

#include <chrono>
#include <optional>

namespace sapbuf::tools {

// One thread uses it.
class Pace {
 public:
  // `speed`: how many times as fast as it was; nothing: as fast as can be.
  explicit Pace(std::optional<double> speed) noexcept : speed_(speed) {}

  // Waits until what came at `at` in the recording is due. The first one is due at once, and all others as far from it as they were,
  // divided by the speed: who is late catches up. False if it is not due yet: a signal came, or `slice` is over.
  bool wait_until_due(std::chrono::nanoseconds at, std::chrono::milliseconds slice);
  // The next one is the first one.
  void restart() noexcept { first_at_.reset(); }

 private:
  using Clock = std::chrono::steady_clock;

  std::optional<double> speed_;
  std::optional<std::chrono::nanoseconds> first_at_;
  Clock::time_point began_{};
};

}  // namespace sapbuf::tools
