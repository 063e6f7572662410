#include "segment/segment_core.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "platform/system_error.hpp"
#include "segment/core_dumps.hpp"

namespace sapbuf::detail {

namespace {

// Pages that are shared become private zeros at the same addresses. Async-signal-safe: mmap is a bare system call.
// False if the system refuses, or cannot (huge pages).
bool replace_by_private_zeros(std::byte* address, std::size_t bytes) noexcept {
  if (reinterpret_cast<std::uintptr_t>(address) % layout::kPageBytes != 0) return false;
  return ::mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                0) != MAP_FAILED;
}

// The header is whole before anybody maps it, and never changes: a stray store faults instead of changing it for all.
void forbid_writing_to_header(std::byte* header) {
  if (::mprotect(header, layout::kPageBytes, PROT_READ) != 0) {
    platform::throw_system_error(errno, "cannot protect the segment's header");
  }
}

}  // namespace

using platform::Dump;
using platform::FileAccess;
using platform::NoFork;

SegmentCore::SegmentCore(std::string name, const platform::SharedFile& file, const layout::SegmentHeader& header,
                         FileAccess access)
    : name_(std::move(name)),
      geometry_(header.geometry),
      creation_id_(header.creation_id),
      created_at_ns_(header.created_at_ns),
      locks_(file.descriptor(), access == FileAccess::read_write, "/dev/shm/" + platform::object_name(name_)),
      ended_tenures_(geometry_.participants) {
  control_region_.map(file.descriptor(), access, 0, geometry_.slabs_at, Dump::yes);
  base_ = control_region_.data();
  forbid_writing_to_header(base_);
  control_guard_.watch(base_, geometry_.slabs_at, *this);
  watch();
}

SegmentCore::SegmentCore(Memory memory, int lock_descriptor, std::shared_ptr<const void> lock_owner,
                         const layout::SegmentHeader& header)
    : geometry_(header.geometry),
      creation_id_(header.creation_id),
      created_at_ns_(header.created_at_ns),
      lock_owner_(std::move(lock_owner)),
      locks_(lock_descriptor),
      base_(memory.bytes.data()),
      supplied_slabs_(memory.bytes.data() + geometry_.slabs_at),
      writing_(supplied_slabs_),
      reading_(supplied_slabs_),
      ended_tenures_(geometry_.participants) {
  // Memory of this process alone is copied by fork; memory with a descriptor is shared with the child.
  if (memory.descriptor >= 0) {
    control_region_.adopt(base_, geometry_.total_bytes);
    control_guard_.watch(base_, geometry_.total_bytes, *this);
    if (!slabs_in_core_dumps()) platform::set_dump(supplied_slabs_, geometry_.slabs * geometry_.slab_bytes, Dump::no);
  }
  watch();
}

SegmentCore::~SegmentCore() {
  until_closed_.begin();
  if (control_region_.data() != nullptr && supplied_slabs_ != nullptr) {
    platform::set_dump(supplied_slabs_, geometry_.slabs * geometry_.slab_bytes, Dump::yes);
  }
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

std::uint32_t SegmentCore::high_slot() noexcept {
  const std::uint64_t high = control().high_slot.load(std::memory_order_acquire);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(high, geometry_.participants));
}

std::byte* SegmentCore::map_slabs(platform::Mapping& into, platform::GuardedRange& guard, FileAccess access) {
  const Dump dump = slabs_in_core_dumps() ? Dump::yes : Dump::no;
  locks_.with_descriptor([&](int descriptor) {
    into.map(descriptor, access, geometry_.slabs_at, geometry_.slabs * geometry_.slab_bytes, dump);
  });
  guard.watch(into.data(), geometry_.slabs * geometry_.slab_bytes, *this);
  return into.data();
}

std::byte* SegmentCore::slab_for_writing(std::uint32_t slab) {
  std::byte* slabs = writing_.load(std::memory_order_acquire);
  if (slabs == nullptr) {
    const std::lock_guard guard{mapping_mutex_};
    slabs = writing_.load(std::memory_order_relaxed);
    if (slabs == nullptr) {
      slabs = map_slabs(writing_region_, writing_guard_, FileAccess::read_write);
      writing_.store(slabs, std::memory_order_release);
    }
  }
  return slabs + slab * geometry_.slab_bytes;
}

const std::byte* SegmentCore::slab_for_reading(std::uint32_t slab) {
  const std::byte* slabs = reading_.load(std::memory_order_acquire);
  if (slabs == nullptr) {
    const std::lock_guard guard{mapping_mutex_};
    slabs = reading_.load(std::memory_order_relaxed);
    if (slabs == nullptr) {
      slabs = map_slabs(reading_region_, reading_guard_, FileAccess::read_only);
      reading_.store(slabs, std::memory_order_release);
    }
  }
  return slabs + slab * geometry_.slab_bytes;
}

void SegmentCore::add(ForkHook& hook) {
  const NoFork section;
  hooks_.push_back(&hook);
}

void SegmentCore::remove(ForkHook& hook) noexcept {
  const NoFork section;
  std::erase(hooks_, &hook);
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

// No handle of this process can reach the segment any more, whatever is done with it.
bool SegmentCore::leave_memory() noexcept {
  if (supplied_slabs_ != nullptr) return replace_by_private_zeros(base_, geometry_.total_bytes);
  bool done = replace_by_private_zeros(base_, geometry_.slabs_at);
  for (const std::byte* slabs : {const_cast<const std::byte*>(writing_.load(std::memory_order_acquire)),
                                 reading_.load(std::memory_order_acquire)}) {
    if (slabs == nullptr) continue;
    done = replace_by_private_zeros(const_cast<std::byte*>(slabs), geometry_.slabs * geometry_.slab_bytes) && done;
  }
  return done;
}

// All of the segment goes, not the missing page alone: what is done to the rest of it by a process that sees zeros in
// between would not be right. The words that every step begins with then say so: the cursor is in no slab's generation,
// and behind every slab's end, however much is claimed by those who look at neither; and each writer is revoked.
bool SegmentCore::on_truncation() noexcept {
  truncated_.store(true, std::memory_order_relaxed);
  if (!leave_memory()) return false;
  control().cursor.store(layout::Cursor::make(1, 0, std::uint64_t{1} << 39).word, std::memory_order_relaxed);
  for (std::uint32_t index = 0; index < geometry_.participants; ++index) {
    slot(index).revoked.store(~std::uint64_t{0}, std::memory_order_relaxed);
  }
  return true;
}

void SegmentCore::after_fork_in_child() noexcept {
  forked_ = true;
  for (ForkHook* hook : hooks_) hook->after_fork_in_child();
}

}  // namespace sapbuf::detail
