// How long to wait before a look at what others are writing: each look takes the lines that they write from them, and
// both get slow. Whoever finds little waits a little longer, as long as what comes is worth that; one that finds nothing
// gets things one by one, and looks at once, for the sake of latency.
#pragma once

#include <algorithm>
#include <cstdint>

#include <sapbuf/abi.hpp>

#include "platform/spin.hpp"

namespace SAPBUF_DETAIL {

class Pauses {
 public:
  // What is found counts in pauses: as many as it would take to come at the slowest rate that is worth a wait.
  struct Limits {
    std::uint64_t little;
    std::uint64_t much;
    int most;  // of some 27 nanoseconds
  };

  void wait() const noexcept {
    for (int i = 0; i < pauses_; ++i) platform::spin_pause();
  }
  // Whether there was something behind the wait; and how much there was behind the one before.
  void adapt(bool found, std::uint64_t worth, const Limits& limits) noexcept {
    const auto least = static_cast<std::uint64_t>(pauses_ + kOfALook);
    if (!found || worth < least || worth > limits.much) {
      pauses_ /= 2;
    } else if (worth < limits.little) {
      pauses_ = std::min(2 * pauses_ + 1, limits.most);
    }
  }

 private:
  static constexpr int kOfALook = 8;  // pauses that it takes as long as

  int pauses_ = 0;
};

}  // namespace SAPBUF_DETAIL
