// Children in surroundings that differ from the test's own: other namespaces, other users, fewer resources.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"

namespace sapbuf::test {

// Ends the child's code (with an exit status that the parent checks) if `condition` does not hold.
void require(bool condition, const std::string& what);

// Whether `code` ends without an exception, in a child. Says that the case is skipped if not: "this process may not
// `what`".
bool is_possible(const std::function<void()>& code, const char* what);

// Whether this process may make such namespaces (CLONE_NEW...: several are or-ed). Says that the case is skipped if
// not.
bool may_unshare(int namespaces);

// Makes the calling process's own namespaces; where it has no privileges, with a user namespace that maps it to itself.
void unshare(int namespaces);

// Goes on in a process that is the first one of a new pid namespace, or lives in a new time namespace: only children
// enter those. The process that called waits, dies with it, and takes it along when it is killed.
void go_on_in_child();

// Whether this process may have a /dev/shm of its own. Says that the case is skipped if not.
bool may_mount_shm();
// Gives the calling process an empty /dev/shm of its own; `options` are tmpfs's.
void mount_own_shm(const std::string& options);
// How many bytes /dev/shm has left.
std::uint64_t shm_room();

// For a new time namespace that nobody has entered yet: how far its monotonic clock is ahead.
void set_monotonic_offset(long seconds);
long uptime_seconds();

constexpr unsigned kNobody = 65534;
// Whether this process may become another user. Says that the case is skipped if not.
bool may_change_user();
void become_nobody();

// Takes all descriptors of this process but `left`; gives them back when it goes.
class FewDescriptors {
 public:
  explicit FewDescriptors(std::size_t left);
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors();

 private:
  std::vector<int> taken_;
};
std::size_t open_descriptors();

// Sends SIGALRM every `interval` to a handler that does nothing and restarts no system call, until it goes.
class SignalStorm {
 public:
  explicit SignalStorm(std::chrono::microseconds interval);
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;
  ~SignalStorm();
  std::size_t signals() const noexcept;
};

// A process that attaches a reader at the oldest message, says 1, and then holds what it has until it dies or is spoken
// to.
Child holder_of(const std::string& name, const std::string& participant);

// A message, and how many of it a writer can write until there is no room; the writer must not wait for ever.
extern const std::string kLine;
std::size_t fill_up(Writer& writer);

}  // namespace sapbuf::test
