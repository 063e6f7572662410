// What happens to what the library keeps when the process forks: the parent notices nothing; the child keeps nothing of
// it. Children that run no fork handlers (vfork, posix_spawn, _Fork, clone) are left to what the kernel does by itself:
// see platform/lock_file.hpp.
#pragma once

#include <csignal>
#include <cstdint>
#include <mutex>

namespace sapbuf::platform {

// Something that a child made by fork must not share with its parent: a descriptor, a mapping, a handle.
class ForkWatcher {
 public:
  virtual void before_fork() noexcept {}
  virtual void after_fork_in_parent() noexcept {}
  virtual void after_fork_in_child() noexcept = 0;

 protected:
  ForkWatcher() = default;
  ForkWatcher(const ForkWatcher&) = default;
  ForkWatcher& operator=(const ForkWatcher&) = default;
  ~ForkWatcher() = default;
};

// Changes when a fork of this process begins, and again when it is over. Whoever opens a descriptor reads it before,
// and once more within a NoFork section behind the open: if it is the same, no child has a copy, and the descriptor can
// be watched before any has.
std::uint64_t fork_count() noexcept;

// As long as one exists, no fork of this process begins: neither in another thread, nor in a signal handler of this
// one. Nothing that may wait for others is done within such a section, and no page of a segment is touched: SIGBUS is
// kept away, too, and the kernel ends a process that it cannot tell of a truncated file. Whoever maps something begins
// to watch it within the same section, so that no child finds it unwatched.
class NoFork {
 public:
  NoFork() noexcept;
  NoFork(const NoFork&) = delete;
  NoFork& operator=(const NoFork&) = delete;
  ~NoFork();

  // Children are told in the order in which they began to be watched. May throw std::bad_alloc.
  void watch(ForkWatcher& watcher);
  void forget(ForkWatcher& watcher) noexcept;

 private:
  sigset_t signals_;
};

// Another number in every child made by fork: what was made under another one is not this process's own.
std::uint64_t fork_generation() noexcept;

}  // namespace sapbuf::platform
