#include <sapbuf/detail/kill_point.hpp>

#include <atomic>
#include <mutex>
#include <ostream>

namespace sapbuf {

std::string_view to_string(KillPoint point) noexcept {
  switch (point) {
    case KillPoint::any:
      return "any";
#define SAPBUF_CASE(name) \
  case KillPoint::name:   \
    return #name;
      SAPBUF_KILL_POINTS_OF(SAPBUF_CASE)
#undef SAPBUF_CASE
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, KillPoint point) { return out << to_string(point); }

}  // namespace sapbuf

namespace sapbuf::kill_point {
namespace {

struct Armed {
  std::mutex mutex;
  KillPoint point = KillPoint::any;
  std::function<void()> action;
  unsigned left = 0;
};
Armed& armed() {
  static Armed instance;
  return instance;
}
std::atomic<bool> any_armed{false};

}  // namespace

void arm(KillPoint point, std::function<void()> action, unsigned nth) {
  const std::lock_guard guard{armed().mutex};
  armed().point = point;
  armed().action = std::move(action);
  armed().left = nth;
  any_armed.store(true);
}

void disarm() {
  const std::lock_guard guard{armed().mutex};
  armed().left = 0;
  any_armed.store(false);
}

void reached(KillPoint point) noexcept {
  if (!any_armed.load(std::memory_order_relaxed)) return;
  std::function<void()> action;
  {
    const std::lock_guard guard{armed().mutex};
    const bool is_meant = armed().point == KillPoint::any || armed().point == point;
    if (armed().left == 0 || !is_meant || --armed().left != 0) return;
    action = armed().action;
    any_armed.store(false);
  }
  action();
}

}  // namespace sapbuf::kill_point
