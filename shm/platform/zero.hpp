// Zeroing memory that another processor used last.
#pragma once

#include <cstddef>
#include <cstring>

namespace sapbuf::platform {

// As memset, but where the processor has a way to take cache lines over without fetching what they hold, by that. Lines
// that another core has written or read take twice as long to overwrite if their old content is fetched first.
// Source: Intel optimisation manual, "REP MOVSB and STOSB"; the no-RFO protocol of fast strings.
inline void zero(std::byte* begin, std::size_t bytes) noexcept {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  asm volatile("rep stosb" : "+D"(begin), "+c"(bytes) : "a"(0) : "memory");
#else
  std::memset(begin, 0, bytes);
#endif
}

}  // namespace sapbuf::platform
