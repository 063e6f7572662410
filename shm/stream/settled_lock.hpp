// The stream's lock for those whom a participant may be in the way that died, or left, and was not settled yet. Recovery
// waits for the lock a moment only; who waits longer must not take for alive whom it could not settle.
#pragma once

#include <chrono>
#include <optional>
#include <thread>

#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"
#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

class SettledLock {
 public:
  // Recovery, then the lock; both once more, for as long as `patience`, while `is_in_the_way()`, with the lock, finds such a
  // participant. Throws as MaintenanceLock and recover_for() do.
  template <typename InTheWay>
  SettledLock(StreamCore& core, std::chrono::milliseconds patience, InTheWay is_in_the_way) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      recover_for(core);
      lock_.emplace(core, patience);
      if (!*lock_) lock_->throw_not_held();
      if (!is_in_the_way() || std::chrono::steady_clock::now() >= until) return;
      lock_.reset();
      std::this_thread::sleep_for(kPause);  // a live participant has a step to finish
    }
  }

 private:
  static constexpr std::chrono::milliseconds kPause{1};

  std::optional<MaintenanceLock> lock_;
};

}  // namespace SAPBUF_DETAIL
