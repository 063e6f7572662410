#include <sapbuf/detail/kill_point.hpp>

#include <atomic>
#include <mutex>
#include <string>

namespace sapbuf::kill_point {
namespace {

struct Armed {
  std::mutex mutex;
  std::string name;
  std::function<void()> action;
  unsigned left = 0;
};
Armed& armed() {
  static Armed instance;
  return instance;
}
std::atomic<bool> any_armed{false};

}  // namespace

void arm(std::string_view name, std::function<void()> action, unsigned nth) {
  const std::lock_guard guard{armed().mutex};
  armed().name = name;
  armed().action = std::move(action);
  armed().left = nth;
  any_armed.store(true);
}

void disarm() {
  const std::lock_guard guard{armed().mutex};
  armed().left = 0;
  any_armed.store(false);
}

void reached(std::string_view name) noexcept {
  if (!any_armed.load(std::memory_order_relaxed)) return;
  std::function<void()> action;
  {
    const std::lock_guard guard{armed().mutex};
    if (armed().left == 0 || (armed().name != "*" && armed().name != name) || --armed().left != 0) return;
    action = armed().action;
    any_armed.store(false);
  }
  action();
}

}  // namespace sapbuf::kill_point
