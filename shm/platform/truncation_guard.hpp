// Surviving the truncation of a mapped file: whoever touches a page that is gone gets SIGBUS, and a handler that gives
// the owner of that mapping the chance to put something else in its place.
#pragma once

#include <cstddef>

namespace sapbuf::platform {

// Whoever owns mappings that somebody else may cut short.
class TruncationTarget {
 public:
  // A page of one of its ranges is gone. Called by the signal handler, in the thread that touched the page, while
  // others may be anywhere, here too: async-signal-safe calls and atomic words only. True: the page can be touched
  // again.
  virtual bool on_truncation() noexcept = 0;

 protected:
  ~TruncationTarget() = default;
};

struct GuardedRangeEntry;

// A mapping that the handler knows, from watch() to forget(). Neither takes a lock: fork finds nothing half done, and
// the handler waits for nobody. watch() comes before the first touch, forget() before the memory is unmapped: somebody
// else's mapping may come to the same place.
class GuardedRange {
 public:
  GuardedRange() = default;
  GuardedRange(const GuardedRange&) = delete;
  GuardedRange& operator=(const GuardedRange&) = delete;
  ~GuardedRange() { forget(); }

  void watch(const void* begin, std::size_t bytes, TruncationTarget& owner);  // throws std::bad_alloc
  void forget() noexcept;

 private:
  GuardedRangeEntry* entry_ = nullptr;
};

// Installs the handler, once for the process; other SIGBUS goes on to whatever was installed before. Throws Error.
void handle_sigbus();

}  // namespace sapbuf::platform
