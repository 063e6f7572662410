// Telling threads apart, at the price of a register.
#pragma once

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN
namespace detail {

// Another one for each thread, whoever compiled the caller. Where it is known, the register from which the system counts a
// thread's own variables: in a shared library, the address of one of these would be a call. volatile: read anew at each
// look, so that none is kept while a coroutine goes on in another thread.
inline const void* this_thread_mark() noexcept {
#if defined(__x86_64__) && defined(__LP64__)
  const void* mark;
  asm volatile("movq %%fs:0, %0" : "=r"(mark));  // what stands there is its own address
  return mark;
#elif defined(__aarch64__)
  const void* mark;
  asm volatile("mrs %0, tpidr_el0" : "=r"(mark));
  return mark;
#else
  static thread_local char mark;
  return &mark;
#endif
}

}  // namespace detail
SAPBUF_END
