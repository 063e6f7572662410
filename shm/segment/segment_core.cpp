#include "segment/segment_core.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "platform/system_error.hpp"
#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

namespace {

// Pages that are shared become private zeros at the same addresses. Async-signal-safe: mmap is a bare system call.
// False if the system refuses, or cannot (huge pages).
bool replace_by_private_zeros(std::byte* address, std::size_t bytes) noexcept {
  if (reinterpret_cast<std::uintptr_t>(address) % layout::kPageBytes != 0) return false;
  return ::mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                0) != MAP_FAILED;
}

// Header and directory are whole before anybody maps them, and change rarely: a stray store faults instead of changing
// them for all.
void forbid_writing_to_header(std::byte* base, std::uint64_t bytes) {
  if (::mprotect(base, bytes, PROT_READ) != 0) {
    platform::throw_system_error(errno, "cannot protect the segment's header");
  }
}

// A stray close() in another thread may meet the descriptor between the look at it and its use: then it is opened anew.
template <typename Map>
void map_through(const platform::LockFile& file, Map map) {
  constexpr int kTries = 3;
  for (int tries = 1;; ++tries) {
    try {
      return file.with_descriptor(map);
    } catch (const Error& error) {
      if (error.errc() != Errc::system || tries == kTries) throw;
    }
  }
}

}  // namespace

using platform::Dump;
using platform::FileAccess;
using platform::NoFork;

std::byte* MappedRange::map(SegmentCore& segment, FileAccess access, std::uint64_t offset, std::uint64_t bytes,
                            Dump dump, std::uint64_t alignment) {
  if (std::byte* const there = segment.supplied(offset)) {
    bytes_ = bytes;
    return there;
  }
  map_through(segment.locks(),
              [&](int descriptor) { mapping_.map(descriptor, access, offset, bytes, dump, alignment); });
  bytes_ = bytes;
  address_.store(mapping_.data(), std::memory_order_release);
  guard_.watch(mapping_.data(), bytes, segment);
  return mapping_.data();
}

std::byte* MappedRange::map_growing(SegmentCore& segment, FileAccess access, std::uint64_t offset, std::uint64_t bytes,
                                    std::uint64_t most_bytes, Dump dump, std::uint64_t alignment) {
  try {
    return map(segment, access, offset, most_bytes, dump, alignment);
  } catch (const Error& error) {  // RLIMIT_AS, mlockall, huge pages
    if (most_bytes == bytes || error.errc() != Errc::resource_exhausted) throw;
    return map(segment, access, offset, bytes, dump, alignment);
  }
}

bool MappedRange::replace_by_zeros() noexcept {
  std::byte* const address = address_.load(std::memory_order_acquire);
  return address == nullptr || replace_by_private_zeros(address, bytes_);
}

SegmentCore::SegmentCore(std::string name, const platform::SharedFile& file, const layout::SegmentHeader& header,
                         FileAccess access)
    : name_(std::move(name)),
      geometry_(header.geometry),
      creation_id_(header.creation_id),
      created_at_ns_(header.created_at_ns),
      access_(access),
      locks_(file.descriptor(), access == FileAccess::read_write, "/dev/shm/" + platform::object_name(name_)),
      known_bytes_(file.size()),
      ended_registrations_(geometry_.participants) {
  common_region_.map(file.descriptor(), access, 0, geometry_.regions_at, Dump::yes);
  base_ = common_region_.data();
  forbid_writing_to_header(base_, geometry_.control_at);
  common_guard_.watch(base_, geometry_.regions_at, *this);
  watch();
}

SegmentCore::SegmentCore(Memory memory, int lock_descriptor, std::shared_ptr<const void> lock_owner,
                         const layout::SegmentHeader& header)
    : geometry_(header.geometry),
      creation_id_(header.creation_id),
      created_at_ns_(header.created_at_ns),
      access_(FileAccess::read_write),
      lock_owner_(std::move(lock_owner)),
      locks_(lock_descriptor),
      base_(memory.bytes.data()),
      supplied_(true),
      supplied_bytes_(geometry_.most_bytes),
      ended_registrations_(geometry_.participants) {
  // Memory of this process alone is copied by fork; memory with a descriptor is shared with the child.
  if (memory.descriptor >= 0) {
    common_region_.adopt(base_, supplied_bytes_);
    common_guard_.watch(base_, supplied_bytes_, *this);
  }
  watch();
}

SegmentCore::~SegmentCore() {
  until_closed_.begin();
  facilities_.clear();
  NoFork section;
  section.forget(*this);
}

// Behind what it consists of: in a child, that is replaced first.
void SegmentCore::watch() {
  NoFork section;
  section.watch(*this);
}

bool SegmentCore::is_current() const noexcept {
  return name_.empty() || platform::SharedFile::has_identity(name_, locks_.file());
}

std::optional<std::uint64_t> SegmentCore::end_now() const noexcept {
  if (supplied_) return supplied_bytes_;
  struct stat file {};
  try {
    if (locks_.with_descriptor([&](int descriptor) { return ::fstat(descriptor, &file); }) != 0) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // the file cannot be reached any more
  }
  known_bytes_.store(static_cast<std::uint64_t>(file.st_size), std::memory_order_relaxed);
  return static_cast<std::uint64_t>(file.st_size);
}

std::uint64_t SegmentCore::bytes() const noexcept {
  if (supplied_) return supplied_bytes_;
  struct stat file {};
  try {
    if (locks_.with_descriptor([&](int descriptor) { return ::fstat(descriptor, &file); }) != 0) return end();
  } catch (const Error&) {
    return end();  // the file cannot be reached any more
  }
  return static_cast<std::uint64_t>(file.st_blocks) * 512;
}

std::uint64_t SegmentCore::end() const noexcept {
  return end_now().value_or(known_bytes_.load(std::memory_order_relaxed));
}

std::uint32_t SegmentCore::high_slot() noexcept {
  const std::uint64_t high = control().high_slot.load(std::memory_order_acquire);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(high, geometry_.participants));
}

// Of a truncation the directory that is mapped writable; a handler that runs meanwhile may be looking at it.
struct SegmentCore::EndTelling {
  SegmentCore& core;
  ~EndTelling() {
    core.writable_directory_.store(nullptr);
    while (core.telling_.load() != 0) {
    }
  }
};

void SegmentCore::with_writable_directory(const std::function<void(layout::Directory&)>& write) {
  if (supplied_) return write(at<layout::Directory>(geometry_.directory_at));
  check_not_truncated();
  MappedRange range;
  std::byte* const address =
      range.map(*this, FileAccess::read_write, geometry_.directory_at, sizeof(layout::Directory), Dump::yes);
  // truncation (SB): the handler has set the flag before it looks.
  writable_directory_.store(&range);
  const EndTelling end{*this};
  std::atomic_thread_fence(std::memory_order_seq_cst);
  check_not_truncated();
  write(*reinterpret_cast<layout::Directory*>(address));
}

void SegmentCore::allocate(std::uint64_t offset, std::uint64_t bytes) {
  check_not_truncated();  // what this process has of it is its own by now, and the file is not to grow
  if (supplied_) {
    if (offset > supplied_bytes_ || bytes > supplied_bytes_ - offset) {
      throw Error(Errc::no_space, "the supplied memory has " + std::to_string(supplied_bytes_) + " bytes, not " +
                                      std::to_string(bytes) + " from " + std::to_string(offset) + " on");
    }
    return;
  }
  locks_.with_own_descriptor([&](int descriptor) {
    try {
      platform::allocate_range(descriptor, offset, bytes);
    } catch (const Error& error) {
      if (error.errc() != Errc::no_space) throw;
      // Somebody may have died behind allocating this very range: what he took would count twice.
      platform::give_back_range(descriptor, offset, bytes);
      platform::allocate_range(descriptor, offset, bytes);
    }
  });
}

void SegmentCore::give_back(std::uint64_t offset, std::uint64_t bytes) {
  if (supplied_ || truncated()) return;  // where it is, is not to be known from zeros, and the file is others'
  locks_.with_own_descriptor([&](int descriptor) { platform::give_back_range(descriptor, offset, bytes); });
}

void SegmentCore::zero_supplied(std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (!supplied_ || offset >= supplied_bytes_) return;
  std::memset(base_ + offset, 0, std::min(bytes, supplied_bytes_ - offset));
}

void SegmentCore::begin_to_tell(Facility& facility) {
  for (std::atomic<Facility*>& place : told_) {
    Facility* none = nullptr;
    if (place.compare_exchange_strong(none, &facility)) return;
  }
  throw Error(Errc::resource_exhausted, "too many facilities of segment '" + name_ + "' are open in this process");
}

// A handler that runs meanwhile may be looking at it.
void SegmentCore::end_to_tell(Facility& facility) noexcept {
  for (std::atomic<Facility*>& place : told_) {
    Facility* own = &facility;
    if (place.compare_exchange_strong(own, nullptr)) break;
  }
  while (telling_.load() != 0) {
  }
}

void SegmentCore::check_not_forked() const {
  if (forked_) {
    throw Error(Errc::forked, "segment '" + name_ +
                                  "' was opened before fork: open it again in the child and make new handles there");
  }
}

void SegmentCore::check_not_truncated() const {
  if (!truncated()) return;
  throw Error(Errc::corrupt, (name_.empty() ? "the segment in the supplied memory" : "segment '" + name_ + "'") +
                                 " is corrupt: its file was truncated while this process had it open; make it anew");
}

// All of the segment goes, not the missing page alone: what is done to the rest of it by a process that sees zeros in
// between would not be right.
bool SegmentCore::on_truncation() noexcept {
  truncated_.store(true);  // truncation (SB): ahead of the looks
  telling_.fetch_add(1);
  bool done = supplied_ ? replace_by_private_zeros(base_, supplied_bytes_)
                        : replace_by_private_zeros(base_, geometry_.regions_at);
  if (MappedRange* const directory = writable_directory_.load()) done = directory->replace_by_zeros() && done;
  for (const std::atomic<Facility*>& place : told_) {
    if (Facility* const facility = place.load()) done = facility->tell_of_truncation() && done;
  }
  telling_.fetch_sub(1);
  return done;
}

}  // namespace SAPBUF_DETAIL
