// How a consumer keeps its distance from producers that it keeps up with: it waits a little behind a look that found
// nothing, so that the next ones find some blocks in a row. One that sleeps begins anew: it is woken for what came. See
// segment/pauses.hpp.
#pragma once

#include <cstdint>
#include <utility>

#include "segment/pauses.hpp"

namespace SAPBUF_DETAIL {

class ConsumerPace {
 public:
  // Calls `look`, which tells whether it found a block, behind a pause perhaps.
  template <typename Look>
  bool look(Look look) {
    if (in_a_row_ == 0) pauses_.wait();
    const bool found = look();
    if (in_a_row_ == 0) pauses_.adapt(found, before_ * kPausesOfABlock, kLimits);
    if (found) {
      ++in_a_row_;
    } else {
      before_ = std::exchange(in_a_row_, 0);
    }
    return found;
  }

  const Pauses& pauses() const noexcept { return pauses_; }  // before the next look that a row begins with

 private:
  static constexpr std::uint64_t kPausesOfABlock = 8;  // about 5 million blocks a second
  // From 64 blocks in a row on, several lines of the ring are full.
  static constexpr Pauses::Limits kLimits{.little = 64 * kPausesOfABlock, .much = 1024 * kPausesOfABlock, .most = 255};

  Pauses pauses_;
  std::uint64_t in_a_row_ = 0;  // blocks, since a look found none
  std::uint64_t before_ = 0;    // that there were when it came to an end
};

}  // namespace SAPBUF_DETAIL
