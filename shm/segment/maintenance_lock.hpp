// The locks of a segment that are held for a moment, and never on a hot path: a facility's, while its shared state
// changes or its dead are repaired; and the directory's, while facilities are made and removed. They are OFD locks, so a
// holder that is killed lets go at that moment, and whoever comes next redoes the step that was begun: every step under
// such a lock may be repeated.
//
// Order, for those who take two: the directory's, then a facility's.
//
// A facility's lock is had only while the facility is there: whoever removes it takes the lock before its place may become
// another one's. So who has it may write there, also without a participant of his own (stream/shed.cpp).
#pragma once

#include <chrono>
#include <exception>

#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

class SegmentLock {
 public:
  // Tries once.
  SegmentLock(SegmentCore& core, std::uint64_t offset) noexcept;
  // Tries until `patience` is over. A live holder needs it for microseconds, unless it is stopped.
  SegmentLock(SegmentCore& core, std::uint64_t offset, std::chrono::milliseconds patience) noexcept;
  SegmentLock(const SegmentLock&) = delete;
  SegmentLock& operator=(const SegmentLock&) = delete;
  ~SegmentLock();

  explicit operator bool() const noexcept { return held_; }

 protected:
  void unlock() noexcept;
  // The error of those who tried in vain: what the system said the last time, or who holds it, as far as this process
  // may see that. `title` and `what` name the lock.
  [[noreturn]] void throw_not_held(const std::string& title, const char* what) const;

 private:
  bool try_lock() noexcept;

  SegmentCore& core_;
  const std::uint64_t offset_;
  std::exception_ptr refusal_;  // of the last try, if it was the system that refused
  bool held_ = false;
};

class MaintenanceLock : public SegmentLock {
 public:
  explicit MaintenanceLock(const Facility& facility) noexcept
      : SegmentLock(facility.segment(), facility.maintenance_lock()), facility_(facility) {
    look_if_removed();
  }
  MaintenanceLock(const Facility& facility, std::chrono::milliseconds patience) noexcept
      : SegmentLock(facility.segment(), facility.maintenance_lock(), patience), facility_(facility) {
    look_if_removed();
  }
  // Throws Errc::busy, or not_found.
  [[noreturn]] void throw_not_held() const;

 private:
  void look_if_removed() noexcept;

  const Facility& facility_;
  bool is_removed_ = false;
};

class DirectoryLock : public SegmentLock {
 public:
  DirectoryLock(SegmentCore& core, std::chrono::milliseconds patience) noexcept
      : SegmentLock(core, layout::kDirectoryLock, patience), name_(core.name()) {}
  [[noreturn]] void throw_not_held() const {
    SegmentLock::throw_not_held("segment '" + name_ + "'", "the directory's lock");
  }

 private:
  const std::string& name_;
};

}  // namespace SAPBUF_DETAIL
