// The one lock of a segment: held while slabs change their state and while the dead are repaired; never on the hot
// path. It is an OFD lock, so a holder that is killed lets go of it at that moment, and whoever comes next redoes the
// step that was begun: every step under this lock may be repeated.
#pragma once

#include <chrono>
#include <exception>

#include "segment/segment_core.hpp"

namespace sapbuf::detail {

class MaintenanceLock {
 public:
  // Tries once.
  explicit MaintenanceLock(SegmentCore& core) noexcept;
  // Tries until `patience` is over. A live holder needs it for microseconds, unless it is stopped.
  MaintenanceLock(SegmentCore& core, std::chrono::milliseconds patience) noexcept;
  MaintenanceLock(const MaintenanceLock&) = delete;
  MaintenanceLock& operator=(const MaintenanceLock&) = delete;
  ~MaintenanceLock();

  explicit operator bool() const noexcept { return held_; }
  // The error of those who tried in vain: what the system said the last time, or who holds it, as far as this process
  // may see that.
  [[noreturn]] void throw_not_held() const;

 private:
  bool try_lock() noexcept;

  SegmentCore& core_;
  std::exception_ptr refusal_;  // of the last try, if it was the system that refused
  bool held_ = false;
};

}  // namespace sapbuf::detail
