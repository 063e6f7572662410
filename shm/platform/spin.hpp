// A breath between two looks of a loop that spins.
#pragma once

namespace sapbuf::platform {

// Tells the processor that this is a spin loop; some tens of nanoseconds at the most.
inline void spin_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // `yield` is nothing on most cores
#endif
}

}  // namespace sapbuf::platform
