// Telling threads apart, at the price of a register.
#pragma once

namespace sapbuf::detail {

// Another address for each thread.
inline const void* this_thread_mark() noexcept {
  static thread_local char mark;
  return &mark;
}

}  // namespace sapbuf::detail
