// The heavy half of asymmetric fences. The light half is a compiler fence, or a real one in a segment with full fences.
#pragma once

namespace sapbuf::platform {

// Registers this process for heavy fences made by others. False if the kernel (or a seccomp filter) does not allow it.
// Idempotent; a child made by fork must register again.
bool register_for_heavy_fences() noexcept;

// Every running thread of every registered process passes a full memory barrier before this returns; and so does the
// caller. With `full`, the other side uses real fences, and a local one is enough here. Source: membarrier(2),
// GLOBAL_EXPEDITED.
//
// False if the kernel refuses (a sandbox that was put up after this process attached, or a process that never writes
// and so never had to register): then nobody but the caller passed one, and nothing may be built on it.
[[nodiscard]] bool heavy_fence(bool full) noexcept;

}  // namespace sapbuf::platform
