#include "platform/fence.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace sapbuf::platform {

bool register_for_heavy_fences() noexcept {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

void heavy_fence(bool full) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (full) return;
  // Cannot fail where registration succeeded; a process that could not register was refused at attach. One that only
  // repairs may be barred from the call: the slower command has the same effect on every kernel that knows membarrier.
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) != 0) {
    ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
  }
}

}  // namespace sapbuf::platform
