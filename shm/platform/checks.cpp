// Always in the library: a program may be built with checks where the library was not.
#ifndef SAPBUF_CHECKS
#define SAPBUF_CHECKS
#endif
#include <sapbuf/detail/checks.hpp>

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace SAPBUF_DETAIL {

void end_misuse(const char* what) noexcept {
  // Perhaps in a signal handler: nothing but write(2).
  for (const char* const text : {"sapbuf: ", what, "\n"}) {
    [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text, std::strlen(text));
  }
  std::abort();
}

}  // namespace SAPBUF_DETAIL
