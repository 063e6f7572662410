#include "segment/fork_guard.hpp"

#include <pthread.h>

#include <vector>

#include "segment/segment_core.hpp"

namespace sapbuf::detail {
namespace {

// Never destroyed: handles with static storage duration may go later than any object of this file.
std::vector<SegmentCore*>& cores() {
  static auto* const list = new std::vector<SegmentCore*>;
  return *list;
}

}  // namespace

std::mutex& ForkGuard::mutex() noexcept {
  static auto* const instance = new std::mutex;
  return *instance;
}

void ForkGuard::watch(SegmentCore& core) {
  const std::lock_guard guard{mutex()};
  [[maybe_unused]] static const int registered =
      ::pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
  cores().push_back(&core);
}

void ForkGuard::forget(SegmentCore& core) noexcept {
  const std::lock_guard guard{mutex()};
  std::erase(cores(), &core);
}

void ForkGuard::before_fork() noexcept { mutex().lock(); }

void ForkGuard::after_fork_in_parent() noexcept { mutex().unlock(); }

void ForkGuard::after_fork_in_child() noexcept {
  for (SegmentCore* core : cores()) core->after_fork_in_child();
  mutex().unlock();
}

}  // namespace sapbuf::detail
