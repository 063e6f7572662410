// A process that cannot have as many addresses as it likes.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace sapbuf::test {

// No more than this beyond what the process has, for as long as it lives.
inline void limit_address_space(rlim_t more) {
  std::ifstream statm{"/proc/self/statm"};
  rlim_t pages = 0;
  if (!(statm >> pages)) throw std::runtime_error("cannot read the process's size");
  const rlim_t bytes = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("cannot set the limit");
}

}  // namespace sapbuf::test
