// A pool of a segment that is open in this process: where everything of it is. What the bytes mean is in
// layout/pool_*.hpp; what is done with them, in the other files of this folder.
#pragma once

#include <sapbuf/layout/pool_geometry.hpp>

#include "platform/clock.hpp"
#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

// A user's magazine, in shared memory; see layout/pool_slot.hpp.
struct Magazine {
  layout::Word& state;
  layout::HalfWord* buffers;
  std::uint32_t size;

  // Never more than `size`, whatever stands there.
  std::uint32_t depth(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return std::min(layout::MagazineState{state.load(order)}.depth(), size);
  }
};

// A class of buffers, as a pool has it.
struct SizeClass : layout::BlockShape {
  std::uint64_t bytes = 0;     // of a buffer
  std::uint32_t capacity = 0;  // of its magazines: buffers that one user keeps at hand
};

// Everything that is read from shared memory and decides an address is taken from `geometry()`, a private copy that was
// validated when the pool was opened, or checked against it.
class PoolCore final : public Facility {
 public:
  // Throws Error (corrupt, incompatible, resource_exhausted).
  PoolCore(SegmentCore& segment, const DirectoryRecord& record);

  const layout::PoolGeometry& geometry() const noexcept { return geometry_; }
  layout::PoolControl& control() const noexcept { return at<layout::PoolControl>(geometry_.control_at); }
  layout::PoolSlot& slot(std::uint32_t index) const noexcept {
    return at<layout::PoolSlot>(geometry_.slots_at + index * sizeof(layout::PoolSlot));
  }
  // With size classes there is one for each of them, by its number; else there is number 0.
  std::uint32_t magazines() const noexcept { return std::max(geometry_.classes, 1u); }
  Magazine magazine(std::uint32_t slot_index, std::uint32_t number) const noexcept {
    layout::PoolSlot& its = slot(slot_index);
    if (!has_classes()) return {its.state, its.magazine, layout::kMagazine};
    layout::ClassMagazine& found = class_magazines(slot_index)[number];
    return {found.state, found.magazine, layout::kClassMagazine};
  }
  // Where there are classes.
  layout::ClassMagazine* class_magazines(std::uint32_t slot_index) const noexcept {
    return &at<layout::ClassMagazine>(geometry_.magazines_at +
                                      std::uint64_t{slot_index} * geometry_.classes * sizeof(layout::ClassMagazine));
  }
  bool has_classes() const noexcept { return geometry_.classes != 0; }
  std::uint32_t classes() const noexcept { return geometry_.classes; }
  // For so many bytes, at the most those of the largest one.
  std::uint32_t class_for(std::uint64_t bytes) const noexcept {
    return layout::size_class_of(layout::pieces_for(geometry_, std::max<std::uint64_t>(bytes, 1)));
  }
  // Of a class below that.
  const SizeClass& size_class(std::uint32_t number) const noexcept { return size_classes_[number]; }
  // Of a buffer that is there.
  std::uint64_t buffer_bytes(std::uint32_t buffer) const noexcept;
  // How many buffers as large as one of so many bytes it has, or would have if it had no others.
  std::uint64_t count_as_large_as(std::uint64_t bytes) const noexcept {
    if (!has_classes()) return count();
    const SizeClass& its = size_class(class_for(bytes));
    return std::uint64_t{count() / (layout::kChunkBuffers * its.chunks)} * its.buffers;
  }
  // Of a buffer, or piece, below max_count.
  layout::Word& word(std::uint32_t buffer) const noexcept {
    return at<layout::Word>(geometry_.words_at + buffer * sizeof(layout::Word));
  }
  // Of a chunk that has such a buffer.
  layout::Word& chunk(std::uint32_t chunk) const noexcept {
    return at<layout::Word>(geometry_.chunks_at + chunk * sizeof(layout::Word));
  }
  // When it left the pool, or was shared: see layout/pool_geometry.hpp.
  layout::HalfWord& since(std::uint32_t buffer) const noexcept {
    return at<layout::HalfWord>(geometry_.since_at + buffer * sizeof(layout::HalfWord));
  }
  std::uint32_t now_ms() const noexcept {  // as `since` counts
    const std::uint64_t made_ms = control().made_ms.load(std::memory_order_relaxed);
    return static_cast<std::uint32_t>(platform::coarse_monotonic_ns() / 1'000'000 - made_ms);
  }
  // Buffers that there are, and that this process can address.
  //   growth: acquire, so that their pages are there
  std::uint32_t count() const noexcept {
    const std::uint64_t count = control().count.load(std::memory_order_acquire);
    return static_cast<std::uint32_t>(std::min(count, reach_.load(std::memory_order_relaxed)));
  }
  // Whether this process can address so many of the buffers' bytes.
  bool reaches(std::uint64_t bytes) const noexcept { return bytes <= count() * geometry_.stride_bytes; }
  // Buffers that there are, also beyond that: their words and chunks can be read by all. For whoever settles, counts, or serves
  // others.
  std::uint32_t there() const noexcept {
    const std::uint64_t there = control().count.load(std::memory_order_acquire);
    return static_cast<std::uint32_t>(std::min(there, geometry_.max_count));
  }
  // Of PoolControl::out: behind the buffers' leaving, and before they come back.
  void note_out(std::uint64_t buffers) noexcept;
  void note_back(std::uint64_t buffers) noexcept { control().out.fetch_sub(buffers, std::memory_order_relaxed); }
  // The buffers are mapped when they are first asked for. Throws Error (resource_exhausted).
  std::byte* buffers() { return map(buffers_, platform::FileAccess::read_write); }
  const std::byte* buffers_for_reading() { return map(looked_at_, platform::FileAccess::read_only); }

  // As of the segment.
  bool full_fences() const noexcept { return segment().full_fences(); }

  // See Facility.
  void check() override;
  void prepare(std::uint32_t slot) noexcept override;
  void mark_settled(std::uint32_t slot) noexcept override;
  void wake_all() noexcept override;
  void describe(std::vector<SegmentPart>& parts) const override;
  bool on_truncation() noexcept override;
  // In pool/holdings.cpp. A holding is a buffer's number: its index, plus one.
  void find_holdings(std::uint32_t slot, std::vector<std::uint64_t>& buffers) override;
  std::uint64_t bytes_of(std::span<const std::uint64_t> buffers) const noexcept override;
  bool is_in_the_way(std::uint32_t slot, layout::SlotRegistration registration) override;
  bool repair(std::uint32_t slot, RepairTally& tally) override;
  void release(std::uint32_t slot) noexcept override;
  std::uint32_t count_released(std::span<const std::uint64_t> buffers, std::span<const std::uint32_t> gone) override;
  // How many buffers a user has that it has twice, and so on: holdings name them once.
  std::uint64_t count_repeats(std::uint32_t slot);

 private:
  std::byte* map(MappedOnDemand& range, platform::FileAccess access);
  bool is_live_root(layout::Root root, std::uint32_t there) const noexcept;
  void count_out_anew() noexcept;
  // Of the user of this slot, if it has it alone.
  bool reclaim(std::uint32_t buffer, std::uint32_t slot) noexcept;

  const layout::PoolGeometry geometry_;
  const std::vector<SizeClass> size_classes_;
  MappedOnDemand buffers_;
  MappedOnDemand looked_at_;          // the same, read-only
  std::atomic<std::uint64_t> reach_;  // in buffers
};

// The pool `name` of a segment, for a handle. Throws Error: not_found, and as the constructor.
std::shared_ptr<PoolCore> open_pool(const std::shared_ptr<SegmentCore>& segment, std::string_view name);
// The same if it is there.
std::shared_ptr<PoolCore> find_pool(const std::shared_ptr<SegmentCore>& segment, std::string_view name);

// Its type, for facilities.cpp.
FacilityType pool_type() noexcept;

}  // namespace SAPBUF_DETAIL
