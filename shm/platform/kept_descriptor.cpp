#include "platform/kept_descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>

namespace sapbuf::platform {
namespace {

// All that are open, by number: one that is opened under the number of another one shows that the other was closed by
// somebody else. Used within NoFork sections only.
std::vector<std::atomic<int>*>& open_numbers() {
  static auto* const list = new std::vector<std::atomic<int>*>;
  return *list;
}

// Behind an open that returned it.
void forget_number(int descriptor) noexcept {
  for (std::atomic<int>* number : open_numbers()) {
    if (number->load(std::memory_order_relaxed) == descriptor) number->store(-1, std::memory_order_relaxed);
  }
}

// Far behind any data, so that even a stray write() through the number hits nothing. How far files may reach depends on
// the file system.
off_t set_own_position(int descriptor) {
  static std::mt19937_64 engine{(std::uint64_t{std::random_device{}()} << 32) ^ std::random_device{}()};
  for (const unsigned bits : {61u, 42u, 30u}) {
    const auto position = static_cast<off_t>((std::uint64_t{1} << bits) | (engine() >> (64 - bits)));
    if (::lseek(descriptor, position, SEEK_SET) == position) return position;
  }
  return -1;
}

}  // namespace

std::optional<FileIdentity> identity_of(int descriptor) noexcept {
  struct stat information {};
  if (::fstat(descriptor, &information) != 0) return std::nullopt;
  return FileIdentity{information.st_dev, information.st_ino};
}

KeptDescriptor::~KeptDescriptor() {
  if (!watched_) return;
  NoFork section;
  let_go();
  section.forget(*this);
}

int KeptDescriptor::open(const char* path, int flags, const FileIdentity& file) {
  std::optional<NoFork> section;
  return open(section, path, flags, file);
}

int KeptDescriptor::open(std::optional<NoFork>& section, const char* path, int flags, const FileIdentity& file) {
  if (!watched_) {
    NoFork{}.watch(*this);
    watched_ = true;
  }
  for (;;) {
    const std::uint64_t forks = fork_count();
    const int descriptor = ::open(path, flags | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0 && errno == EINTR) continue;
    if (descriptor < 0) return errno;
    SAPBUF_KILL_POINT(descriptor_opened);
    section.emplace();
    if (fork_count() == forks) {
      const int error = keep(descriptor, file);
      if (error != 0) section.reset();
      return error;
    }
    ::close(descriptor);  // a child may have a copy: of a description that has no locks, and never will have
    section.reset();
  }
}

int KeptDescriptor::keep(int descriptor, const FileIdentity& file) {
  let_go();
  const auto opened = identity_of(descriptor);
  if (opened != file) {
    const int error = opened ? ESTALE : errno;
    forget_number(descriptor);
    ::close(descriptor);
    return error;
  }
  file_ = file;
  position_ = set_own_position(descriptor);
  take_number(descriptor);
  return 0;
}

int KeptDescriptor::duplicate(const KeptDescriptor& original) {
  NoFork section;
  if (!watched_) {
    section.watch(*this);
    watched_ = true;
  }
  let_go();
  const int descriptor = ::fcntl(original.number(), F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) return errno;
  file_ = original.file_;
  position_ = original.position_;
  take_number(descriptor);
  if (is_ours()) return 0;
  ::close(descriptor);
  let_go();
  return EBADF;
}

void KeptDescriptor::take_number(int descriptor) {
  forget_number(descriptor);
  try {
    open_numbers().push_back(&number_);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  number_.store(descriptor, std::memory_order_relaxed);
}

void KeptDescriptor::close() noexcept {
  if (!watched_) return;
  NoFork section;
  close(section);
}

void KeptDescriptor::close(NoFork&) noexcept { let_go(); }

void KeptDescriptor::let_go() noexcept {
  std::erase(open_numbers(), &number_);
  if (is_ours()) ::close(number());
  number_.store(-1, std::memory_order_relaxed);
}

bool KeptDescriptor::is_ours() const noexcept {
  const int descriptor = number();
  if (descriptor < 0) return false;
  if (position_ >= 0) return ::lseek(descriptor, 0, SEEK_CUR) == position_;
  return identity_of(descriptor) == file_;
}

void KeptDescriptor::after_fork_in_child() noexcept { let_go(); }

}  // namespace sapbuf::platform
