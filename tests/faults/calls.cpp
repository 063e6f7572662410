#include "faults/calls.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>

namespace sapbuf::test {
namespace {

thread_local Faults* standing = nullptr;

struct Facts {
  Call call;
  const char* name;
  std::vector<int> errors;
};

// In the order of the enumerators.
const std::vector<Facts>& all_facts() {
  static const std::vector<Facts> all{
      {Call::allocate, "operator new", {ENOMEM}},
      {Call::close, "close", {EINTR, EIO}},
      {Call::eventfd, "eventfd", {EMFILE, ENFILE, ENOMEM}},
      {Call::fchmod, "fchmod", {EPERM, EIO}},
      {Call::fence, "membarrier", {EPERM, ENOSYS}},
      {Call::fstat, "fstat", {EIO, ENOMEM}},
      {Call::futex_wait, "futex, waiting", {EINTR, EPERM}},
      {Call::futex_wake, "futex, waking", {EPERM}},
      {Call::kill, "kill", {EPERM}},
      {Call::linkat, "linkat", {EACCES, EEXIST, ENOENT, ENOSPC, EPERM, EROFS}},
      {Call::lock, "fcntl, locking", {EAGAIN, ENOLCK, EINTR}},
      {Call::lock_query, "fcntl, asking for a lock", {EIO, ENOLCK}},
      {Call::madvise, "madvise", {ENOMEM, EINVAL}},
      {Call::memfd_create, "memfd_create", {EMFILE, ENFILE, ENOMEM}},
      {Call::mmap, "mmap", {ENOMEM, EAGAIN, ENFILE}},
      {Call::mprotect, "mprotect", {ENOMEM, EACCES}},
      {Call::nanosleep, "nanosleep", {EINTR}},
      {Call::open, "open", {EACCES, EINTR, EMFILE, ENFILE, ENOENT, ENOMEM}},
      {Call::opendir, "opendir", {EACCES, EMFILE, ENOMEM}},
      {Call::posix_fallocate, "posix_fallocate", {ENOSPC, EFBIG, EIO, ENOMEM}},
      {Call::punch_hole, "fallocate, giving back", {EIO, EINTR, EOPNOTSUPP, EPERM}},
      {Call::pread, "pread", {EIO, EINTR, kShort}},
      {Call::read, "read", {EIO, EINTR, kShort}},
      {Call::readdir, "readdir", {EIO}},
      {Call::register_fences, "membarrier, registering", {EPERM, ENOSYS}},
      {Call::seek, "lseek, setting", {EINVAL}},
      {Call::stat, "stat", {EACCES, ENOENT, ENOMEM}},
      {Call::statvfs, "statvfs", {EIO, ENOSYS}},
      {Call::unlink, "unlink", {EACCES, EROFS, EIO}},
      {Call::unlock, "fcntl, unlocking", {ENOLCK}},
  };
  return all;
}

const Facts& facts_of(Call call) {
  const Facts& facts = all_facts().at(static_cast<std::size_t>(call));
  if (facts.call != call) std::abort();
  return facts;
}

}  // namespace

const char* name_of(Call call) { return facts_of(call).name; }
std::span<const int> errors_of(Call call) { return facts_of(call).errors; }
std::string name_of_error(int error) { return error == kShort ? "half of it" : ::strerrorname_np(error); }

Faults::Faults(Fault fault) : fault_(fault) {
  calls_.reserve(1'000'000);  // so that to count takes no memory
  standing = this;
}

Faults::~Faults() { end(); }

void Faults::end() noexcept { standing = nullptr; }

int Faults::meet(Call call) noexcept { return standing == nullptr ? 0 : standing->judge(call); }

int Faults::judge(Call call) {
  if (calls_.size() == calls_.capacity()) std::abort();  // an operation without an end
  calls_.push_back(call);
  if (fault_.nth == 0 || calls_.size() < fault_.nth || call != fault_.call) return 0;
  if (struck_ != 0 && !fault_.lasting) return 0;
  ++struck_;
  return fault_.error;
}

}  // namespace sapbuf::test

// --- The library's way to the system -------------------------------------------------------------------------------

namespace {

using sapbuf::test::Call;
using sapbuf::test::Faults;

// Fails as system calls do, or goes on to the real one.
template <typename Real>
auto pass(Call call, Real real, decltype(real()) failed = static_cast<decltype(real())>(-1)) {
  if (const int error = Faults::meet(call)) {
    errno = error;
    return failed;
  }
  return real();
}

// The same for calls that may give less than was asked for.
template <typename Real>
ssize_t pass_part(Call call, std::size_t bytes, Real real) {
  const int error = Faults::meet(call);
  if (error == sapbuf::test::kShort) return real(bytes / 2);
  if (error != 0) {
    errno = error;
    return -1;
  }
  return real(bytes);
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (Faults::meet(Call::allocate) != 0) return nullptr;
  const std::size_t least = bytes == 0 ? 1 : bytes;
  return alignment == 0 ? std::malloc(least)
                        : std::aligned_alloc(alignment, (least + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* const memory = allocate(bytes, alignment)) return memory;
  throw std::bad_alloc{};
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate_or_throw(bytes, 0); }
void* operator new[](std::size_t bytes) { return allocate_or_throw(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, 0); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

// The linker gives these names (ld(1), --wrap).
extern "C" {

int __real_close(int file);
int __wrap_close(int file) {
  const int error = Faults::meet(Call::close);
  const int result = __real_close(file);  // Linux closes it, whatever it says
  if (error == 0) return result;
  errno = error;
  return -1;
}

int __real_fchmod(int file, mode_t mode);
int __wrap_fchmod(int file, mode_t mode) {
  return pass(Call::fchmod, [&] { return __real_fchmod(file, mode); });
}

int __real_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...) {
  std::va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  const auto real = [&] { return __real_fcntl(file, command, argument); };
  switch (command) {
    case F_OFD_GETLK:
      return pass(Call::lock_query, real);
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return pass(static_cast<struct flock*>(argument)->l_type == F_UNLCK ? Call::unlock : Call::lock, real);
    default:
      return real();  // flags of a descriptor: nothing but a wrong number can go wrong
  }
}

int __real_fstat(int file, struct stat* facts);
int __wrap_fstat(int file, struct stat* facts) {
  return pass(Call::fstat, [&] { return __real_fstat(file, facts); });
}

int __real_kill(pid_t pid, int signal);
int __wrap_kill(pid_t pid, int signal) {
  return pass(Call::kill, [&] { return __real_kill(pid, signal); });
}

int __real_linkat(int from, const char* old_path, int to, const char* new_path, int flags);
int __wrap_linkat(int from, const char* old_path, int to, const char* new_path, int flags) {
  return pass(Call::linkat, [&] { return __real_linkat(from, old_path, to, new_path, flags); });
}

// To ask for the position goes wrong for a wrong number only.
off_t __real_lseek(int file, off_t offset, int whence);
off_t __wrap_lseek(int file, off_t offset, int whence) {
  const auto real = [&] { return __real_lseek(file, offset, whence); };
  return whence == SEEK_SET ? pass(Call::seek, real) : real();
}

int __real_lstat(const char* path, struct stat* facts);
int __wrap_lstat(const char* path, struct stat* facts) {
  return pass(Call::stat, [&] { return __real_lstat(path, facts); });
}

int __real_madvise(void* begin, std::size_t bytes, int advice);
int __wrap_madvise(void* begin, std::size_t bytes, int advice) {
  return pass(Call::madvise, [&] { return __real_madvise(begin, bytes, advice); });
}

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags) {
  return pass(Call::eventfd, [&] { return __real_eventfd(count, flags); });
}

int __real_memfd_create(const char* name, unsigned flags);
int __wrap_memfd_create(const char* name, unsigned flags) {
  return pass(Call::memfd_create, [&] { return __real_memfd_create(name, flags); });
}

void* __real_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset);
void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  return pass(
      Call::mmap, [&] { return __real_mmap(at, bytes, protection, flags, file, offset); }, MAP_FAILED);
}

int __real_mprotect(void* begin, std::size_t bytes, int protection);
int __wrap_mprotect(void* begin, std::size_t bytes, int protection) {
  return pass(Call::mprotect, [&] { return __real_mprotect(begin, bytes, protection); });
}

int __real_nanosleep(const timespec* wanted, timespec* left);
int __wrap_nanosleep(const timespec* wanted, timespec* left) {
  return pass(Call::nanosleep, [&] { return __real_nanosleep(wanted, left); });
}

int __real_open(const char* path, int flags, ...);
int __wrap_open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const auto mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return pass(Call::open, [&] { return __real_open(path, flags, mode); });
}

DIR* __real_opendir(const char* path);
DIR* __wrap_opendir(const char* path) {
  return pass(
      Call::opendir, [&] { return __real_opendir(path); }, nullptr);
}

int __real_posix_fallocate(int file, off_t offset, off_t bytes);
int __wrap_posix_fallocate(int file, off_t offset, off_t bytes) {
  const int error = Faults::meet(Call::posix_fallocate);
  return error != 0 ? error : __real_posix_fallocate(file, offset, bytes);
}

int __real_fallocate(int file, int mode, off_t offset, off_t bytes);
int __wrap_fallocate(int file, int mode, off_t offset, off_t bytes) {
  return pass(Call::punch_hole, [&] { return __real_fallocate(file, mode, offset, bytes); });
}

ssize_t __real_pread(int file, void* target, std::size_t bytes, off_t offset);
ssize_t __wrap_pread(int file, void* target, std::size_t bytes, off_t offset) {
  return pass_part(Call::pread, bytes, [&](std::size_t part) { return __real_pread(file, target, part, offset); });
}

ssize_t __real_read(int file, void* target, std::size_t bytes);
ssize_t __wrap_read(int file, void* target, std::size_t bytes) {
  return pass_part(Call::read, bytes, [&](std::size_t part) { return __real_read(file, target, part); });
}

dirent* __real_readdir(DIR* directory);
dirent* __wrap_readdir(DIR* directory) {
  return pass(
      Call::readdir, [&] { return __real_readdir(directory); }, nullptr);
}

int __real_stat(const char* path, struct stat* facts);
int __wrap_stat(const char* path, struct stat* facts) {
  return pass(Call::stat, [&] { return __real_stat(path, facts); });
}

int __real_statvfs(const char* path, struct statvfs* facts);
int __wrap_statvfs(const char* path, struct statvfs* facts) {
  return pass(Call::statvfs, [&] { return __real_statvfs(path, facts); });
}

int __real_unlink(const char* path);
int __wrap_unlink(const char* path) {
  return pass(Call::unlink, [&] { return __real_unlink(path); });
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  std::va_list list;
  va_start(list, number);
  long a[6]{};
  // A sixth one would be on the caller's stack, where those who pass none have something else.
  const int arguments = number == SYS_futex ? 6 : 5;
  for (int i = 0; i < arguments; ++i) a[i] = va_arg(list, long);
  va_end(list);
  const auto real = [&] { return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]); };
  switch (number) {
    case SYS_membarrier:
      return pass(a[0] == MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED ? Call::register_fences : Call::fence, real);
    case SYS_futex:
      return pass((a[1] & FUTEX_CMD_MASK) == FUTEX_WAKE ? Call::futex_wake : Call::futex_wait, real);
    case 449:  // futex_waitv
      return pass(Call::futex_wait, real);
    default:
      std::abort();  // not known here: say what can go wrong with it
  }
}

}  // extern "C"
