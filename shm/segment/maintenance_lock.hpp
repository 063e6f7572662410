// The one lock of a segment: held while slabs change their state and while the dead are repaired; never on the hot
// path. It is an OFD lock, so a holder that is killed lets go of it at that moment, and whoever comes next redoes the
// step that was begun: every step under this lock may be repeated.
#pragma once

#include <chrono>

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

 private:
  bool try_lock() noexcept;

  SegmentCore& core_;
  bool held_ = false;
};

// The error of those who waited for it in vain. Names who holds it, as far as this process may see that.
[[noreturn]] void throw_maintenance_busy(SegmentCore& core);

}  // namespace sapbuf::detail
