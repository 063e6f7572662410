// Descriptors that the library keeps open, in a process whose other parts may close them by mistake and get their
// numbers for other files.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <optional>

#include "platform/file_facts.hpp"
#include "platform/fork_guard.hpp"

namespace sapbuf::platform {

// Nothing, and errno says why, if the number is no descriptor (EBADF), or the system refuses to tell.
std::optional<FileIdentity> identity_of(int descriptor) noexcept;

// One open file description of our own. It is told from all others by its file position, a number of its own that no
// call of the library uses or moves: whoever else gets the descriptor's number, be it for the same file, has another
// one. A number that is not ours any more is never closed. Close-on-exec, and closed in children made by fork.
class KeptDescriptor final : public ForkWatcher {
 public:
  KeptDescriptor() = default;
  KeptDescriptor(const KeptDescriptor&) = delete;
  KeptDescriptor& operator=(const KeptDescriptor&) = delete;
  ~KeptDescriptor();

  // Opens `path`, which must be that file. Returns 0, or errno's value (ESTALE: it is another file). Whatever was kept
  // before is let go of. No child made by fork has a copy: one that is made while the system opens the file makes this
  // open it once more. May throw std::bad_alloc.
  int open(const char* path, int flags, const FileIdentity& file);
  // The same; on success the caller goes on in a section in which no child has a copy either.
  int open(std::optional<NoFork>& section, const char* path, int flags, const FileIdentity& file);
  // Another number for the very description that `original` stands for, which stays open as long as one of the two does.
  // Returns 0, or errno's value (EBADF: that one was lost). May throw std::bad_alloc.
  int duplicate(const KeptDescriptor& original);
  void close() noexcept;
  void close(NoFork& section) noexcept;

  int number() const noexcept { return number_.load(std::memory_order_relaxed); }
  // Whether the number still stands for what was opened here: one system call.
  bool is_ours() const noexcept;

 private:
  void after_fork_in_child() noexcept override;
  int keep(int descriptor, const FileIdentity& file);
  void take_number(int descriptor);
  void let_go() noexcept;

  std::atomic<int> number_{-1};  // -1: none
  FileIdentity file_;
  off_t position_ = -1;  // -1: the file has no positions, and is told by its identity alone
  bool watched_ = false;
};

}  // namespace sapbuf::platform
