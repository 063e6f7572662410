#include "sapbuf/pace.hpp"

#include <algorithm>
#include <thread>

#include "common/stop.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// The last part of a wait ends at the nanosecond, as near as the system comes to it; the rest ends when a signal comes, too.
constexpr milliseconds kExactly{2};
constexpr double kLongestWaitNs = 1e18;  // 31 years

}  // namespace

bool Pace::wait_until_due(nanoseconds at, milliseconds slice) {
  if (!speed_) return true;
  const Clock::time_point now = Clock::now();
  if (!first_at_) {
    first_at_ = at;
    began_ = now;
  }
  const double offset = static_cast<double>((at - *first_at_).count()) / *speed_;
  const Clock::time_point due = began_ + nanoseconds{static_cast<std::int64_t>(std::min(offset, kLongestWaitNs))};
  if (now >= due) return true;
  if (due - now > slice) {
    sleep_unless_stopped(slice);
    return false;
  }
  if (due - now > kExactly) sleep_unless_stopped(std::chrono::floor<milliseconds>(due - now) - milliseconds{1});
  if (stop_requested()) return false;
  std::this_thread::sleep_until(due);
  return true;
}

}  // namespace sapbuf::tools
