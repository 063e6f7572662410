#include "segment/segment_core.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "segment/fork_guard.hpp"

namespace sapbuf::detail {
namespace {

// In a child made by fork: the pages that the parent shares become private zeros at the same addresses, so that no
// handle that was inherited can reach the segment any more, whatever the child does with it.
void replace_by_private_zeros(void* address, std::size_t bytes) noexcept {
  if (bytes == 0 || reinterpret_cast<std::uintptr_t>(address) % layout::kPageBytes != 0) return;
  ::mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

void replace_by_private_zeros(const boost::interprocess::mapped_region& region) noexcept {
  replace_by_private_zeros(region.get_address(), region.get_size());
}

}  // namespace

SegmentCore::SegmentCore(std::string name, platform::SharedFile file, const layout::SegmentHeader& header,
                         platform::FileAccess access)
    : name_(std::move(name)),
      identity_(file.identity()),
      geometry_(header.geometry),
      creation_id_(header.creation_id),
      created_at_ns_(header.created_at_ns),
      file_(std::move(file)),
      locks_(file_.descriptor(), access == platform::FileAccess::read_write),
      control_region_(file_.map(access, 0, geometry_.slabs_at)),
      base_(static_cast<std::byte*>(control_region_.get_address())) {
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
  ForkGuard::watch(*this);
}

SegmentCore::~SegmentCore() {
  until_closed_.begin();
  ForkGuard::forget(*this);
}

bool SegmentCore::is_current() const noexcept {
  return name_.empty() || platform::SharedFile::has_identity(name_, identity_);
}

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

void SegmentCore::after_fork_in_child() noexcept {
  forked_ = true;
  locks_.close_after_fork();
  replace_by_private_zeros(control_region_);
  replace_by_private_zeros(writing_region_);
  replace_by_private_zeros(reading_region_);
  // Memory of this process alone was copied by fork; memory with a descriptor is shared with the parent.
  if (supplied_slabs_ != nullptr && lock_owner_ == nullptr) replace_by_private_zeros(base_, geometry_.total_bytes);
  for (ForkHook* hook : hooks_) hook->after_fork_in_child();
}

}  // namespace sapbuf::detail
