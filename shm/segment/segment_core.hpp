// A mapped segment: where everything is. What the bytes mean is in layout/; what is done with them, in stream/ and in
// the other files of this folder.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <sapbuf/layout/header.hpp>
#include <sapbuf/segment.hpp>

#include "platform/cancellation.hpp"
#include "platform/fork_guard.hpp"
#include "platform/lock_file.hpp"
#include "platform/mapping.hpp"
#include "platform/shared_file.hpp"
#include "platform/truncation_guard.hpp"

namespace sapbuf::detail {

// A writer or reader handle, as far as fork is concerned.
class ForkHook {
 public:
  // In the child: make the handle unusable. The segment's memory has been replaced by private zeros already.
  virtual void after_fork_in_child() noexcept = 0;

 protected:
  ~ForkHook() = default;
};

// Thread-safe but for what callers do with the words. Everything that is read from shared memory and decides an address
// is taken from `geometry()`, a private copy that was validated when the segment was opened.
class SegmentCore final : public platform::ForkWatcher, platform::TruncationTarget {
 public:
  // A named object whose header was validated; `access` read_only is for looking on only. The file is needed no longer
  // than this takes.
  SegmentCore(std::string name, const platform::SharedFile& file, const layout::SegmentHeader& header,
              platform::FileAccess access);
  // Memory that the caller supplies, with a descriptor for the locks; `lock_owner` is kept as long as the core.
  SegmentCore(Memory memory, int lock_descriptor, std::shared_ptr<const void> lock_owner,
              const layout::SegmentHeader& header);
  SegmentCore(const SegmentCore&) = delete;
  SegmentCore& operator=(const SegmentCore&) = delete;
  ~SegmentCore();

  const std::string& name() const noexcept { return name_; }
  const layout::Geometry& geometry() const noexcept { return geometry_; }
  std::uint64_t creation_id() const noexcept { return creation_id_; }
  std::uint64_t created_at_ns() const noexcept { return created_at_ns_; }
  bool is_current() const noexcept;  // see Segment
  bool full_fences() const noexcept { return geometry_.fences == Fences::full; }
  platform::LockFile& locks() noexcept { return locks_; }

  layout::Control& control() noexcept { return at<layout::Control>(geometry_.control_at); }
  layout::ParticipantSlot& slot(std::uint32_t index) noexcept {
    return at<layout::ParticipantSlot>(geometry_.slots_at + index * sizeof(layout::ParticipantSlot));
  }
  layout::SlabDescriptor& descriptor(std::uint32_t slab) noexcept {
    return at<layout::SlabDescriptor>(geometry_.descriptors_at + slab * sizeof(layout::SlabDescriptor));
  }
  // The word of the `index`-th granule of a slab (per-writer order).
  layout::Word& extent(std::uint32_t slab, std::uint64_t index) noexcept {
    return at<layout::Word>(geometry_.extents_at +
                            (slab * geometry_.granules_per_slab() + index) * sizeof(layout::Word));
  }
  // One past the highest slot in use so far; never more than there are.
  std::uint32_t high_slot() noexcept;

  // The tenure of that slot whose owner this process knows to have ended, though the kernel still holds its lock; 0 if
  // there is none. Private to this process: it believes no proof but its own.
  std::atomic<std::uint64_t>& ended_tenure(std::uint32_t slot) noexcept { return ended_tenures_[slot]; }
  // When this process last looked for such owners, on the monotonic clock.
  std::atomic<std::uint64_t>& looked_for_ended_ns() noexcept { return looked_for_ended_ns_; }

  // The slabs are mapped when they are first asked for. Throws Error (resource_exhausted).
  std::byte* slab_for_writing(std::uint32_t slab);
  const std::byte* slab_for_reading(std::uint32_t slab);

  // Handles that must learn of a fork.
  void add(ForkHook& hook);
  void remove(ForkHook& hook) noexcept;
  bool forked() const noexcept { return forked_; }
  void check_not_forked() const;

  // Whether this process has met a page of the segment that is gone, and survived (see <sapbuf/truncation.hpp>).
  bool truncated() const noexcept { return truncated_.load(std::memory_order_relaxed); }
  void check_not_truncated() const;
  // Runs `call`, which throws Error or returns something. What it found in a segment that is truncated by the end of it
  // is worth nothing: then this throws Errc::corrupt.
  template <typename Call>
  auto unless_truncated(Call call) const {
    try {
      auto result = call();
      check_not_truncated();
      return result;
    } catch (const Error&) {
      check_not_truncated();
      throw;
    }
  }

 private:
  void after_fork_in_child() noexcept override;
  bool on_truncation() noexcept override;
  bool leave_memory() noexcept;
  void watch();
  std::byte* map_slabs(platform::Mapping& into, platform::GuardedRange& guard, platform::FileAccess access);

  template <typename T>
  T& at(std::uint64_t offset) noexcept {
    return *reinterpret_cast<T*>(base_ + offset);
  }

  platform::UncancellableFromNow until_closed_;  // first: the others close descriptors when they go
  const std::string name_;
  const layout::Geometry geometry_;
  const std::uint64_t creation_id_;
  const std::uint64_t created_at_ns_;
  const std::shared_ptr<const void> lock_owner_;
  platform::LockFile locks_;
  platform::Mapping
      control_region_;  // header (read-only) to extent tables; of supplied memory that is shared: all of it
  platform::Mapping writing_region_;  // slabs
  platform::Mapping reading_region_;  // slabs, read-only
  std::byte* base_ = nullptr;
  std::byte* supplied_slabs_ = nullptr;
  std::mutex mapping_mutex_;
  std::atomic<std::byte*> writing_{nullptr};
  std::atomic<const std::byte*> reading_{nullptr};
  platform::GuardedRange control_guard_;  // behind the regions: forgotten before they are unmapped
  platform::GuardedRange writing_guard_;
  platform::GuardedRange reading_guard_;
  // Relaxed: whoever still reads zeros for a word of the segment finds them as odd as any.
  std::atomic<bool> truncated_{false};
  std::vector<std::atomic<std::uint64_t>> ended_tenures_;
  std::atomic<std::uint64_t> looked_for_ended_ns_{0};
  std::vector<ForkHook*> hooks_;  // changed within NoFork sections
  bool forked_ = false;
};

}  // namespace sapbuf::detail
