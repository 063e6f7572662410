// Whether the name of a stream, a map or a queue still leads to the one that is open.
#pragma once

#include <chrono>
#include <functional>
#include <sapbuf/sapbuf.hpp>
#include <string>

namespace sapbuf::tools {

// One thread uses it.
class NameWatch {
 public:
  template <typename Facility>
  explicit NameWatch(const Facility& facility)
      : segment_(facility.segment()),
        name_(facility.name()),
        is_current_([facility] { return facility.is_current(); }) {}

  // A second has gone by since the last look. Costs a look at the clock.
  bool is_due() const noexcept { return Clock::now() >= next_look_; }
  // Looks: the name was taken away, or leads to another one now. Tells of it, the first time.
  bool is_gone();
  // Looks: that is so, and of this role nobody is left in it who is to be waited for; the dead are recovered first.
  bool is_gone_without(Role role);

 private:
  using Clock = std::chrono::steady_clock;

  const Segment segment_;
  const std::string name_;
  const std::function<bool()> is_current_;
  Clock::time_point next_look_{};
  bool gone_ = false;
};

}  // namespace sapbuf::tools
