#include "platform/lock_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include <sapbuf/layout/word.hpp>

#include "platform/system_error.hpp"

namespace sapbuf::platform {
namespace {

struct flock one_byte(short type, std::uint64_t offset) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = 1;
  return lock;
}

// dup() would share the open file description, and with it the locks; only a new open makes a new one. By the thread's
// own entry: that of the process is empty once its first thread has ended.
int open_again(int descriptor, int flags) {
  const std::string path = "/proc/thread-self/fd/" + std::to_string(descriptor);
  const int again = ::open(path.c_str(), flags | O_CLOEXEC);
  if (again < 0) throw_system_error(errno, "cannot open " + path + " for the segment's locks (is /proc mounted?)");
  return again;
}

}  // namespace

LockFile::LockFile(int descriptor, bool writable) {
  held_.reserve(layout::kMaxParticipants + 2);  // so that taking a lock never allocates
  if (writable) lock_descriptor_ = open_again(descriptor, O_RDWR);
  try {
    probe_descriptor_ = open_again(descriptor, O_RDONLY);
  } catch (...) {
    if (lock_descriptor_ >= 0) ::close(lock_descriptor_);
    throw;
  }
}

LockFile::~LockFile() { close_after_fork(); }

void LockFile::close_after_fork() noexcept {
  if (lock_descriptor_ >= 0) ::close(lock_descriptor_);
  if (probe_descriptor_ >= 0) ::close(probe_descriptor_);
  lock_descriptor_ = probe_descriptor_ = -1;
}

bool LockFile::try_lock(std::uint64_t offset) {
  const std::lock_guard guard{mutex_};
  if (std::find(held_.begin(), held_.end(), offset) != held_.end()) return false;
  struct flock lock = one_byte(F_WRLCK, offset);
  if (::fcntl(lock_descriptor_, F_OFD_SETLK, &lock) != 0) {
    if (errno == EAGAIN || errno == EACCES) return false;
    throw_system_error(errno, "cannot take an OFD lock on the segment's file");
  }
  held_.push_back(offset);
  return true;
}

void LockFile::unlock(std::uint64_t offset) noexcept {
  const std::lock_guard guard{mutex_};
  struct flock lock = one_byte(F_UNLCK, offset);
  ::fcntl(lock_descriptor_, F_OFD_SETLK, &lock);
  std::erase(held_, offset);
}

bool LockFile::is_locked(std::uint64_t offset) const noexcept {
  struct flock lock = one_byte(F_WRLCK, offset);
  if (::fcntl(probe_descriptor_, F_OFD_GETLK, &lock) != 0) return true;
  return lock.l_type != F_UNLCK;
}

}  // namespace sapbuf::platform
