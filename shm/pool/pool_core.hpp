// A pool of a segment that is open in this process: where everything of it is. What the bytes mean is in layout/pool_*.hpp;
// what is done with them, in the other files of this folder.
#pragma once

#include <sapbuf/layout/pool_geometry.hpp>

#include "platform/clock.hpp"
#include "segment/facility.hpp"

namespace sapbuf::detail {

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
  // Of a buffer below max_count.
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
  // Of PoolControl::out: behind the buffers' leaving, and before they come back.
  void note_out(std::uint64_t buffers) noexcept;
  void note_back(std::uint64_t buffers) noexcept { control().out.fetch_sub(buffers, std::memory_order_relaxed); }
  // The buffers are mapped when they are first asked for. Throws Error (resource_exhausted).
  std::byte* buffers();

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
  std::uint64_t bytes_of_holding() const noexcept override { return geometry_.buffer_bytes; }
  bool is_in_the_way(std::uint32_t slot, layout::SlotRegistration registration) override;
  bool repair(std::uint32_t slot, RepairTally& tally) override;
  void release(std::uint32_t slot) noexcept override;
  std::uint32_t count_released(std::span<const std::uint64_t> buffers, std::span<const std::uint32_t> gone) override;
  // How many buffers a user has that it has twice, and so on: holdings name them once.
  std::uint64_t count_repeats(std::uint32_t slot);

 private:
  bool is_live_root(layout::Root root, std::uint32_t there) const noexcept;
  void count_out_anew() noexcept;
  // Of the user of this slot, if it has it alone.
  bool reclaim(std::uint32_t buffer, std::uint32_t slot) noexcept;

  const layout::PoolGeometry geometry_;
  MappedOnDemand buffers_;
  std::atomic<std::uint64_t> reach_;  // in buffers
};

// The pool `name` of a segment, for a handle. Throws Error: not_found, and as the constructor.
std::shared_ptr<PoolCore> open_pool(const std::shared_ptr<SegmentCore>& segment, std::string_view name);
// The same if it is there.
std::shared_ptr<PoolCore> find_pool(const std::shared_ptr<SegmentCore>& segment, std::string_view name);

// Its type, for facilities.cpp.
FacilityType pool_type() noexcept;

}  // namespace sapbuf::detail
