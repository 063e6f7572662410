#include "platform/lock_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include <sapbuf/layout/header.hpp>

#include "platform/lock_holders.hpp"
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

bool is_taken(int error) noexcept { return error == EAGAIN || error == EACCES; }

FileIdentity identity_or_throw(int descriptor) {
  if (const auto file = identity_of(descriptor)) return *file;
  throw_system_error(errno, "cannot look at the segment's file");
}

std::uint64_t random_life() {
  std::random_device device;
  return layout::kLifeLocks + ((std::uint64_t{device()} << 32 | device()) & layout::kLifeMask);
}

// The file itself is not what these stand for: it is not there under any number or name that is known.
bool is_lost(int error) noexcept { return error == EBADF || error == ENOENT || error == ESTALE; }

[[noreturn]] void throw_unreachable(int error) {
  if (!is_lost(error)) throw_system_error(error, "cannot open the segment's file anew");
  throw Error(
      Errc::system,
      "the segment's file cannot be reached any more: this process closed descriptors that it did not open, and "
      "the file has no name, or /proc is not mounted");
}

// Only somebody with locks on nearly all of the range keeps so many random bytes from being free.
constexpr int kLifeTries = 64;

// What was asked, as one call: held by another description, free, or neither can be said.
LockState ask_once(int descriptor, short type, std::uint64_t offset) noexcept {
  struct flock lock = one_byte(type, offset);
  if (::fcntl(descriptor, F_OFD_GETLK, &lock) != 0) return LockState::unknown;
  return lock.l_type == F_UNLCK ? LockState::free : LockState::held;
}

}  // namespace

LockFile::LockFile(int descriptor, bool writable, std::string path)
    : file_(identity_or_throw(descriptor)), source_(descriptor), path_(std::move(path)), writable_(writable) {
  if (writable_) make_description();
  open_probe();
  take_life();
}

// Said in so many words, because a child that ran no fork handlers may have a copy of the descriptor.
LockFile::~LockFile() {
  if (is_forked()) return;
  for (Description& description : descriptions_) {
    while (!description.held.empty()) unlock(description.held.back());
  }
}

// dup() would share the open file description, and with it the locks; only a new open makes a new one. By the thread's
// own entry in /proc: that of the process is empty once its first thread has ended.
int LockFile::try_open(std::optional<NoFork>& section, KeptDescriptor& into, int flags) const {
  int error = EBADF;
  for (const int known : {lock_descriptor_.load(std::memory_order_relaxed), probe_.number(), source_}) {
    if (known < 0) continue;
    const auto found = identity_of(known);
    if (!found && errno != EBADF) error = errno;
    if (found != file_) continue;
    const std::string path = "/proc/thread-self/fd/" + std::to_string(known);
    error = into.open(section, path.c_str(), flags, file_);
    if (error == 0 || errc_of(error) == Errc::resource_exhausted) return error;
  }
  if (path_.empty()) return error;
  // What has the name by now may be anything.
  const int by_name = into.open(section, path_.c_str(), flags | O_NOFOLLOW | O_NONBLOCK, file_);
  return by_name == 0 || is_lost(error) ? by_name : error;
}

void LockFile::refuse_in_child() const {
  if (is_forked()) throw Error(Errc::forked, "the segment's locks are the parent's");
}

void LockFile::open_probe() const {
  refuse_in_child();
  std::optional<NoFork> section;
  if (const int error = try_open(section, probe_, writable_ ? O_RDWR : O_RDONLY); error != 0) throw_unreachable(error);
}

void LockFile::make_description() {
  std::list<Description> fresh(1);
  Description& description = fresh.front();
  description.held.reserve(layout::kMaxParticipants + layout::kMaxFacilities +
                           1);  // so that taking a lock never allocates
  std::optional<NoFork> section;
  if (const int error = try_open(section, description.descriptor, O_RDWR); error != 0) throw_unreachable(error);
  if (const int error = description.anchor.hold(*section, description.descriptor.number()); error != 0) {
    throw_system_error(error, "cannot map the segment's file for its locks");
  }
  lock_descriptor_.store(description.descriptor.number(), std::memory_order_relaxed);
  descriptions_.splice(descriptions_.begin(), fresh);
}

// Locked, mapped and closed within one section: no child inherits the descriptor.
void LockFile::take_life() {
  KeptDescriptor descriptor;
  std::optional<NoFork> section;
  if (const int error = try_open(section, descriptor, writable_ ? O_RDWR : O_RDONLY); error != 0) {
    throw_unreachable(error);
  }
  for (int tries = 1;; ++tries) {
    life_ = random_life();
    struct flock lock = one_byte(writable_ ? F_WRLCK : F_RDLCK, life_);
    if (::fcntl(descriptor.number(), F_OFD_SETLK, &lock) == 0) break;
    if (!is_taken(errno)) throw_system_error(errno, "cannot take an OFD lock on the segment's file");
    if (tries < kLifeTries) continue;
    section.reset();
    throw Error(Errc::busy, "a live process has locks on all of the segment's file" + named_holders_of(file_, life_) +
                                ": no byte is left for the lock that says that this one lives");
  }
  if (const int error = life_anchor_.hold(*section, descriptor.number()); error != 0) {
    throw_system_error(error, "cannot map the segment's file for its locks");
  }
  descriptor.close(*section);
}

bool LockFile::try_lock(std::uint64_t offset) {
  refuse_in_child();
  const std::lock_guard guard{mutex_};
  for (const Description& description : descriptions_) {
    if (std::find(description.held.begin(), description.held.end(), offset) != description.held.end()) return false;
  }
  for (;;) {
    // Before, so that nothing is locked in somebody else's file; and behind, so that what was locked is ours.
    if (!descriptions_.front().descriptor.is_ours()) {
      refuse_in_child();
      make_description();
      std::erase_if(descriptions_, [this](const Description& description) {
        return &description != &descriptions_.front() && description.held.empty();
      });
    }
    Description& description = descriptions_.front();
    struct flock lock = one_byte(F_WRLCK, offset);
    const bool locked = ::fcntl(description.descriptor.number(), F_OFD_SETLK, &lock) == 0;
    const int error = errno;
    if (!description.descriptor.is_ours()) continue;
    if (locked) {
      description.held.push_back(offset);
      return true;
    }
    if (is_taken(error)) return false;
    throw_system_error(error, "cannot take an OFD lock on the segment's file");
  }
}

void LockFile::unlock(std::uint64_t offset) noexcept {
  if (is_forked()) return;
  const std::lock_guard guard{mutex_};
  for (auto description = descriptions_.begin(); description != descriptions_.end(); ++description) {
    if (std::erase(description->held, offset) == 0) continue;
    // The number may be ours although somebody moved the position.
    const int descriptor = description->descriptor.number();
    if (description->descriptor.is_ours() || identity_of(descriptor) == file_) {
      struct flock lock = one_byte(F_UNLCK, offset);
      description->keeps_more = ::fcntl(descriptor, F_OFD_SETLK, &lock) != 0 || description->keeps_more;
    }
    if (!description->held.empty()) return;
    if (description->descriptor.is_ours() && !description->keeps_more) return;
    // Whatever is still locked goes with the description.
    description->descriptor.close();
    description->anchor.release();
    return;
  }
}

// Whether the probe looks at the right file, and locks are seen there.
bool LockFile::sees_life() const noexcept {
  return probe_.is_ours() && identity_of(probe_.number()) == file_ &&
         ask_once(probe_.number(), writable_ ? F_RDLCK : F_WRLCK, life_) == LockState::held;
}

LockState LockFile::ask(std::uint64_t offset) const noexcept {
  if (is_forked()) return LockState::unknown;
  if (ask_once(probe_.number(), F_RDLCK, offset) == LockState::held) return LockState::held;
  // A verdict: that the byte is free is believed only between two looks that find the probe to be what it should be.
  const std::lock_guard guard{probe_mutex_};
  for (int tries = 0; tries < 2; ++tries) {
    if (sees_life()) {
      const LockState state = ask_once(probe_.number(), F_RDLCK, offset);
      if (state == LockState::held || (state == LockState::free && sees_life())) return state;
    }
    try {
      open_probe();
    } catch (const std::exception&) {
      return LockState::unknown;
    }
  }
  return LockState::unknown;
}

}  // namespace sapbuf::platform
