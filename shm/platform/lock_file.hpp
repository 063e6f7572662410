// Exclusion and proof of life by OFD locks on bytes of a file: the kernel drops them when the process is gone, however
// it went.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace sapbuf::platform {

// Two open file descriptions of one file: one takes locks, the other asks about them. A description never sees its own
// locks as taken, so asking needs one that holds none. Thread-safe. Descriptors are close-on-exec.
class LockFile {
 public:
  LockFile() = default;
  // Opens two new descriptions of the file behind `descriptor`, which stays the caller's. A read-only file can only be
  // asked. Throws Error if the system refuses.
  explicit LockFile(int descriptor, bool writable = true);
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

  // Takes the write lock on the byte at `offset`, or says that somebody has it: another process, or another thread
  // through this same object. Throws Error if the system refuses (out of lock records).
  bool try_lock(std::uint64_t offset);
  void unlock(std::uint64_t offset) noexcept;
  // Whether anybody at all holds the byte. When the system cannot say, the answer is yes: nothing is taken from the
  // living.
  bool is_locked(std::uint64_t offset) const noexcept;

  // In a child made by fork: lets go of the descriptors, so that they do not keep the parent's locks alive.
  void close_after_fork() noexcept;

 private:
  int lock_descriptor_ = -1;
  int probe_descriptor_ = -1;
  std::mutex mutex_;
  std::vector<std::uint64_t> held_;  // an OFD lock does not exclude its own description: threads need this
};

}  // namespace sapbuf::platform
