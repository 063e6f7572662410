#include "platform/fork_guard.hpp"

#include <pthread.h>

#include <atomic>
#include <vector>

namespace sapbuf::platform {
namespace {

// Never destroyed: handles with static storage duration may go later than any object of this file.
std::vector<ForkWatcher*>& watchers() {
  static auto* const list = new std::vector<ForkWatcher*>;
  return *list;
}

// Held across fork, so that the child finds the list whole.
std::mutex& mutex() noexcept {
  static auto* const instance = new std::mutex;
  return *instance;
}

std::atomic<std::uint64_t> generation{0};
std::atomic<std::uint64_t> count{0};

void before_fork() noexcept {
  mutex().lock();
  count.fetch_add(1, std::memory_order_relaxed);  // the mutex shows it to those who look within a section
  for (ForkWatcher* watcher : watchers()) watcher->before_fork();
}

void after_fork_in_parent() noexcept {
  for (ForkWatcher* watcher : watchers()) watcher->after_fork_in_parent();
  count.fetch_add(1, std::memory_order_relaxed);
  mutex().unlock();
}

void after_fork_in_child() noexcept {
  generation.fetch_add(1, std::memory_order_relaxed);
  for (ForkWatcher* watcher : watchers()) watcher->after_fork_in_child();
  mutex().unlock();
}

// Registered before anything is opened: the count of forks is true from then on.
void listen_for_forks() noexcept {
  [[maybe_unused]] static const int registered =
      ::pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
}

}  // namespace

std::uint64_t fork_count() noexcept {
  listen_for_forks();
  return count.load(std::memory_order_relaxed);
}

NoFork::NoFork() noexcept {
  listen_for_forks();
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &signals_);
  mutex().lock();
}

NoFork::~NoFork() {
  mutex().unlock();
  ::pthread_sigmask(SIG_SETMASK, &signals_, nullptr);
}

void NoFork::watch(ForkWatcher& watcher) { watchers().push_back(&watcher); }

void NoFork::forget(ForkWatcher& watcher) noexcept { std::erase(watchers(), &watcher); }

std::uint64_t fork_generation() noexcept { return generation.load(std::memory_order_relaxed); }

}  // namespace sapbuf::platform
