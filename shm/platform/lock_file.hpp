// Exclusion and proof of life by OFD locks on bytes of a file: the kernel drops them when the process's memory is gone,
// however it went.
//
// An OFD lock belongs to an open file description, and a description lives as long as a descriptor or a mapping refers
// to it. Three of them, because they have different dangers to meet:
//
//           kept by              lock                        what a stray close(), or closefrom(), does
//   life    an anchor            on a byte that nobody       nothing: there is no descriptor to close, none whose number
//                                else has, as long as        could be used again, and none that a child could inherit
//                                the object is there
//   locks   descriptor + anchor  those of try_lock()         what is held stays held; the next call finds out, and opens
//                                                            the file anew
//   probe   descriptor           none; asks about them       the same
//
// Source for the anchor: mmap(2) takes a reference to the description; flock and OFD locks go with its last one.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "platform/kept_descriptor.hpp"
#include "platform/mapping.hpp"

namespace sapbuf::platform {

enum class LockState {
  held,     // for writing, by anybody
  free,     // proved: the file is the right one, and a lock that is known to be held is seen there
  unknown,  // the system cannot say, or the file cannot be reached any more
};

// Thread-safe. A child made by fork has none of the descriptions, and can neither lock nor ask.
class LockFile {
 public:
  // Opens the file behind `descriptor`, which stays the caller's. A read-only file can only be asked. `path` is a name
  // under which the file may be found if its descriptors are lost; empty: none. Throws Error if the system refuses, and
  // Errc::busy if somebody has locks on all of the file.
  explicit LockFile(int descriptor, bool writable = true, std::string path = {});
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

  // Takes the write lock on the byte at `offset`, or says that somebody has it: another process, or another thread
  // through this same object. Throws Error if the system refuses (out of lock records), or the file cannot be reached.
  bool try_lock(std::uint64_t offset);
  // Where the system refuses, the byte is free for others as soon as nothing else is held through this object.
  void unlock(std::uint64_t offset) noexcept;

  // Whether anybody at all holds the byte for writing. Locks for reading do not count: permission to read is enough to
  // take those.
  LockState ask(std::uint64_t offset) const noexcept;
  // The same for those who take nothing from the living: when the system cannot say, the answer is yes.
  bool is_locked(std::uint64_t offset) const noexcept { return ask(offset) != LockState::free; }

  // The byte whose lock says that this process lives. It is held until the object, or the process's memory, is gone.
  std::uint64_t life() const noexcept { return life_; }
  const FileIdentity& file() const noexcept { return file_; }
  // Calls `use` with a descriptor of the file that no lock is ever taken through. As long as that takes, nobody is told
  // that a byte is free. Throws Error if the file cannot be reached.
  template <typename Use>
  auto with_descriptor(Use use) const {
    refuse_in_child();  // a thread of the parent's may have had the mutex
    const std::lock_guard guard{probe_mutex_};
    if (!probe_.is_ours()) open_probe();
    return use(probe_.number());
  }
  // The same for what may take long: others are told meanwhile, unless the process has no descriptor left for it.
  template <typename Use>
  auto with_own_descriptor(Use use) const {
    KeptDescriptor own;
    const int error = with_descriptor([&](int) { return own.duplicate(probe_); });
    return error == 0 ? use(own.number()) : with_descriptor(use);
  }

 private:
  // The description that locks are taken through. One whose descriptor was lost keeps what it holds until that is
  // given back.
  struct Description {
    KeptDescriptor descriptor;
    Anchor anchor;
    std::vector<std::uint64_t> held;  // an OFD lock does not exclude its own description: threads need this
    bool keeps_more = false;  // the system refused to unlock a byte (it has no record for what is left of a range)
  };

  void refuse_in_child() const;
  int try_open(std::optional<NoFork>& section, KeptDescriptor& into, int flags) const;
  void open_probe() const;
  void take_life();
  void make_description();
  bool is_forked() const noexcept { return generation_ != fork_generation(); }
  bool sees_life() const noexcept;

  const FileIdentity file_;
  const int source_;  // the caller's descriptor, which may be closed or something else by now
  const std::string path_;
  const bool writable_;
  const std::uint64_t generation_ = fork_generation();
  std::uint64_t life_ = 0;
  Anchor life_anchor_;

  std::mutex mutex_;
  std::list<Description> descriptions_;   // the first is in use
  std::atomic<int> lock_descriptor_{-1};  // its number, for those who open the file anew

  mutable std::mutex probe_mutex_;
  mutable KeptDescriptor probe_;
};

}  // namespace sapbuf::platform
