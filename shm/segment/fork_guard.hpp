// What happens to open segments when the process forks: the parent notices nothing; in the child every inherited
// segment and handle is dead, and the descriptors that carry the parent's liveness locks are closed at once.
#pragma once

#include <mutex>

namespace sapbuf::detail {

class SegmentCore;

class ForkGuard {
 public:
  static void watch(SegmentCore& core);
  static void forget(SegmentCore& core) noexcept;
  // Held across fork, so that the child finds the lists whole.
  static std::mutex& mutex() noexcept;

 private:
  static void before_fork() noexcept;
  static void after_fork_in_parent() noexcept;
  static void after_fork_in_child() noexcept;
};

}  // namespace sapbuf::detail
