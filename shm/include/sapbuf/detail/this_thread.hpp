// Telling threads apart, at the price of a register.
#pragma once

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN
namespace detail {

// Another address for each thread.
inline const void* this_thread_mark() noexcept {
  static thread_local char mark;
  return &mark;
}

}  // namespace detail
SAPBUF_END
