#include "platform/mapping.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "platform/file_error.hpp"

namespace sapbuf::platform {
namespace {

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// Of the file system that the descriptor's file is on: hugetlbfs maps nothing smaller than its blocks.
std::size_t smallest_mapping(int descriptor) noexcept {
  struct stat information {};
  if (::fstat(descriptor, &information) != 0) return page_bytes();
  return std::max(page_bytes(), static_cast<std::size_t>(information.st_blksize) / page_bytes() * page_bytes());
}

// Returns MAP_FAILED, and sets errno.
void* map_shared(void* place, int how, int descriptor, int protection, std::uint64_t offset,
                 std::uint64_t bytes) noexcept {
  return ::mmap(place, bytes, protection, MAP_SHARED | how, descriptor, static_cast<off_t>(offset));
}

// The same for more than the system aligns by itself: addresses are reserved, and what lies beside the file's is given back.
void* map_aligned(int descriptor, int protection, std::uint64_t offset, std::uint64_t bytes,
                  std::uint64_t alignment) noexcept {
  const std::uint64_t whole = (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
  void* const reserved =
      ::mmap(nullptr, whole + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  std::byte* const begin = static_cast<std::byte*>(reserved);
  const std::uint64_t before = -reinterpret_cast<std::uintptr_t>(begin) & (alignment - 1);
  void* const address = map_shared(begin + before, MAP_FIXED, descriptor, protection, offset, bytes);
  if (address == MAP_FAILED) {
    const int error = errno;
    ::munmap(reserved, whole + alignment);
    errno = error;
    return MAP_FAILED;
  }
  if (before != 0) ::munmap(begin, before);
  ::munmap(begin + before + whole, alignment - before);
  return address;
}

}  // namespace

Anchor::~Anchor() {
  release();
  if (!watched_) return;
  NoFork section;
  section.forget(*this);
}

int Anchor::hold(NoFork& section, int descriptor) {
  if (!watched_) {
    section.watch(*this);
    watched_ = true;
  }
  const std::size_t bytes = smallest_mapping(descriptor);
  void* const address = ::mmap(nullptr, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
  if (address == MAP_FAILED) return errno;
  if (::madvise(address, bytes, MADV_DONTFORK) != 0) {
    const int error = errno;
    ::munmap(address, bytes);
    return error;
  }
  address_ = address;
  bytes_ = bytes;
  return 0;
}

void Anchor::release() noexcept {
  if (address_ != nullptr) ::munmap(address_, bytes_);
  address_ = nullptr;
}

Mapping::~Mapping() {
  if (!watched_) return;
  NoFork section;
  if (owned_) ::munmap(address_, bytes_);
  section.forget(*this);
}

void Mapping::map(int descriptor, FileAccess access, std::uint64_t offset, std::uint64_t bytes, Dump dump,
                  std::uint64_t alignment) {
  NoFork section;
  section.watch(*this);
  watched_ = true;
  const int protection = access == FileAccess::read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  void* const address = alignment <= page_bytes() ? map_shared(nullptr, 0, descriptor, protection, offset, bytes)
                                                  : map_aligned(descriptor, protection, offset, bytes, alignment);
  if (address == MAP_FAILED) {
    const int error = errno;
    section.forget(*this);
    watched_ = false;
    throw_map_error(error, bytes);
  }
  address_ = static_cast<std::byte*>(address);
  bytes_ = bytes;
  owned_ = true;
  ::madvise(address_, bytes_, MADV_DONTFORK);
  if (dump == Dump::no) ::madvise(address_, bytes_, MADV_DONTDUMP);
}

void Mapping::adopt(std::byte* address, std::uint64_t bytes) {
  NoFork section;
  section.watch(*this);
  watched_ = true;
  address_ = address;
  bytes_ = bytes;
}

// Without this, the child would have a hole there until its turn comes, and what it maps before could be put into it.
void Mapping::before_fork() noexcept { in_child_ = !owned_ || ::madvise(address_, bytes_, MADV_DOFORK) == 0; }

void Mapping::after_fork_in_parent() noexcept {
  if (owned_) ::madvise(address_, bytes_, MADV_DONTFORK);
}

// No handle that was inherited can reach the segment any more, whatever the child does with it.
void Mapping::after_fork_in_child() noexcept {
  if (bytes_ == 0 || reinterpret_cast<std::uintptr_t>(address_) % page_bytes() != 0) return;
  const int place = in_child_ ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  void* const zeros =
      ::mmap(address_, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | place, -1, 0);
  if (zeros != address_) owned_ = false;  // what stands there now is somebody else's
}

void set_dump(std::byte* address, std::uint64_t bytes, Dump dump) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  const std::uintptr_t first = (begin + page_bytes() - 1) / page_bytes() * page_bytes();
  const std::uintptr_t last = (begin + bytes) / page_bytes() * page_bytes();
  if (first >= last) return;
  ::madvise(reinterpret_cast<void*>(first), last - first, dump == Dump::no ? MADV_DONTDUMP : MADV_DODUMP);
}

}  // namespace sapbuf::platform
