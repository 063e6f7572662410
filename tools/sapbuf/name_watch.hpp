// Whether the name of a stream still leads to the stream that is open.
#pragma once

#include <chrono>
#include <cstddef>
#include <sapbuf/sapbuf.hpp>

namespace sapbuf::tools {

// One thread uses it.
class NameWatch {
 public:
  explicit NameWatch(const Stream& stream) : stream_(stream) {}

  // A second has gone by since the last look. Costs a look at the clock.
  bool is_due() const noexcept { return Clock::now() >= next_look_; }
  // Looks: the name was taken away, or leads to another stream now. Tells of it, the first time.
  bool is_gone();

 private:
  using Clock = std::chrono::steady_clock;

  const Stream stream_;
  Clock::time_point next_look_{};
  bool gone_ = false;
};

// Participants of a role in a stream that are there to be waited for: the dead are recovered first.
std::size_t count_participants(const Stream& stream, Role role);

}  // namespace sapbuf::tools
