#include "segment/segment_core.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "segment/fork_guard.hpp"

namespace sapbuf::detail {
namespace {

// Pages that are shared become private zeros at the same addresses. Async-signal-safe: mmap is a bare system call.
// False if the system refuses, or cannot (huge pages).
bool replace_by_private_zeros(std::byte* address, std::size_t bytes) noexcept {
  if (reinterpret_cast<std::uintptr_t>(address) % layout::kPageBytes != 0) return false;
  return ::mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                0) != MAP_FAILED;
}

}  // namespace

SegmentCore::SegmentCore(std::string name, platform::SharedFile file, const layout::SegmentHeader& header,
                         platform::FileAccess access)
    : name_(std::move(name)),
      geometry_(header.geometry),
      creation_id_(header.creation_id),
      created_at_ns_(header.created_at_ns),
      file_(std::move(file)),
      locks_(file_.descriptor(), access == platform::FileAccess::read_write),
      control_region_(file_.map(access, 0, geometry_.slabs_at)),
      base_(static_cast<std::byte*>(control_region_.get_address())) {
  control_guard_.watch(base_, geometry_.slabs_at, *this);
  ForkGuard::watch(*this);
}

SegmentCore::SegmentCore(Memory memory, int lock_descriptor, std::shared_ptr<const int> lock_owner,
                         const layout::SegmentHeader& header)
    : geometry_(header.geometry),
      creation_id_(header.creation_id),
      created_at_ns_(header.created_at_ns),
      lock_owner_(std::move(lock_owner)),
      locks_(lock_descriptor),
      base_(memory.bytes.data()),
      supplied_slabs_(memory.bytes.data() + geometry_.slabs_at),
      writing_(supplied_slabs_),
      reading_(supplied_slabs_) {
  // Without a descriptor there is no file behind it.
  if (lock_owner_ == nullptr) control_guard_.watch(base_, geometry_.total_bytes, *this);
  ForkGuard::watch(*this);
}

SegmentCore::~SegmentCore() { ForkGuard::forget(*this); }

std::uint32_t SegmentCore::high_slot() noexcept {
  const std::uint64_t high = control().high_slot.load(std::memory_order_acquire);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(high, geometry_.participants));
}

std::byte* SegmentCore::slab_for_writing(std::uint32_t slab) {
  std::byte* slabs = writing_.load(std::memory_order_acquire);
  if (slabs == nullptr) {
    const std::lock_guard guard{mapping_mutex_};
    slabs = writing_.load(std::memory_order_relaxed);
    if (slabs == nullptr) {
      writing_region_ =
          file_.map(platform::FileAccess::read_write, geometry_.slabs_at, geometry_.slabs * geometry_.slab_bytes);
      slabs = static_cast<std::byte*>(writing_region_.get_address());
      writing_guard_.watch(slabs, writing_region_.get_size(), *this);
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
      reading_region_ =
          file_.map(platform::FileAccess::read_only, geometry_.slabs_at, geometry_.slabs * geometry_.slab_bytes);
      slabs = static_cast<const std::byte*>(reading_region_.get_address());
      reading_guard_.watch(slabs, reading_region_.get_size(), *this);
      reading_.store(slabs, std::memory_order_release);
    }
  }
  return slabs + slab * geometry_.slab_bytes;
}

void SegmentCore::add(ForkHook& hook) {
  const std::lock_guard guard{ForkGuard::mutex()};
  hooks_.push_back(&hook);
}

void SegmentCore::remove(ForkHook& hook) noexcept {
  const std::lock_guard guard{ForkGuard::mutex()};
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
  locks_.close_after_fork();
  // Memory of this process alone was copied by fork; memory with a descriptor is shared with the parent.
  if (supplied_slabs_ == nullptr || lock_owner_ == nullptr) leave_memory();
  for (ForkHook* hook : hooks_) hook->after_fork_in_child();
}

}  // namespace sapbuf::detail
