// System calls that fail at will: the test program is linked so that the library's calls come here first (--wrap), and
// memory is asked for here, too (operator new).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace sapbuf::test {

// What the library asks of the system, told apart by what can go wrong.
enum class Call {
  allocate,
  close,
  eventfd,
  fchmod,
  fence,
  fstat,
  futex_wait,
  futex_wake,
  kill,
  linkat,
  lock,
  lock_query,
  madvise,
  memfd_create,
  mmap,
  mprotect,
  nanosleep,
  open,
  opendir,
  posix_fallocate,
  punch_hole,
  pread,
  read,
  readdir,
  register_fences,
  seek,
  stat,
  statvfs,
  unlink,
  unlock,
};
const char* name_of(Call call);

// No errno: a read gives half of what was asked for.
inline constexpr int kShort = -1;
// What the call may answer, the manual pages say, to a program that does nothing wrong.
std::span<const int> errors_of(Call call);
std::string name_of_error(int error);

struct Fault {
  std::size_t nth = 0;  // of the calls from now on, counted from 1
  Call call{};          // what it is; where waits go another way, the first of its kind from there on
  int error = 0;
  bool lasting = false;  // from then on, each call of that kind
};

// While one stands, calls are counted, and those that the fault names fail. One at a time; calls of this thread only.
class Faults {
 public:
  Faults() : Faults(Fault{}) {}  // counts only
  explicit Faults(Fault fault);
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;
  ~Faults();

  void end() noexcept;  // as if it was gone

  const std::vector<Call>& calls() const noexcept { return calls_; }
  std::size_t struck() const noexcept { return struck_; }

  // For the wrappers: the errno with which this call fails, or 0.
  static int meet(Call call) noexcept;

 private:
  int judge(Call call);

  Fault fault_;
  std::vector<Call> calls_;
  std::size_t struck_ = 0;
};

}  // namespace sapbuf::test
