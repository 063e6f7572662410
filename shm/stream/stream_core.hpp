// A stream of a segment that is open in this process: where everything of it is. What the bytes mean is in layout/;
// what is done with them, in the other files of this folder.
#pragma once

#include <sapbuf/layout/stream_geometry.hpp>

#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

// Everything that is read from shared memory and decides an address is taken from `geometry()`, a private copy that was
// validated when the stream was opened.
class StreamCore final : public Facility {
 public:
  // Throws Error (corrupt, incompatible, resource_exhausted).
  StreamCore(SegmentCore& segment, const DirectoryRecord& record);
  ~StreamCore() override;

  const layout::StreamGeometry& geometry() const noexcept { return geometry_; }
  bool in_total_order() const noexcept { return geometry_.order == Order::total; }

  layout::StreamControl& control() noexcept { return at<layout::StreamControl>(geometry_.control_at); }
  layout::StreamSlot& slot(std::uint32_t index) noexcept {
    return at<layout::StreamSlot>(geometry_.slots_at + index * sizeof(layout::StreamSlot));
  }
  layout::SlabDescriptor& descriptor(std::uint32_t slab) noexcept {
    return at<layout::SlabDescriptor>(geometry_.descriptors_at + slab * sizeof(layout::SlabDescriptor));
  }
  // The word of the `index`-th granule of a slab (per-writer order).
  layout::Word& extent(std::uint32_t slab, std::uint64_t index) noexcept {
    return at<layout::Word>(geometry_.extents_at +
                            (slab * geometry_.granules_per_slab() + index) * sizeof(layout::Word));
  }
  // A slab's array of attached buffers, and an entry of it by its place, of which the array has attached_places().
  layout::AttachedBuffers& attached(std::uint32_t slab) noexcept {
    return at<layout::AttachedBuffers>(geometry_.attached_at + slab * geometry_.attached_bytes());
  }
  layout::AttachedBuffer& attached(std::uint32_t slab, std::uint32_t place) noexcept {
    return at<layout::AttachedBuffer>(geometry_.attached_at + slab * geometry_.attached_bytes() +
                                      sizeof(layout::AttachedBuffers) + (place - 1) * sizeof(layout::AttachedBuffer));
  }
  // A durable reader's record; and of its table for a slab, the head (`place` 0) and the words behind it.
  layout::DurableReader& durable_reader(std::uint32_t index) noexcept {
    return at<layout::DurableReader>(geometry_.durable_at + index * geometry_.durable_bytes());
  }
  layout::Word& durable_word(std::uint32_t index, std::uint32_t slab, std::uint64_t place) noexcept {
    return at<layout::Word>(geometry_.durable_at + index * geometry_.durable_bytes() + sizeof(layout::DurableReader) +
                            slab * geometry_.durable_table_bytes() + place * sizeof(layout::Word));
  }
  // The slabs are mapped when they are first asked for. Throws Error (resource_exhausted).
  std::byte* slab_for_writing(std::uint32_t slab);
  const std::byte* slab_for_reading(std::uint32_t slab);

  // As of the segment.
  std::uint32_t high_slot() const noexcept { return segment().high_slot(); }
  bool full_fences() const noexcept { return segment().full_fences(); }
  bool forked() const noexcept { return segment().forked(); }
  void check_not_forked() const { segment().check_not_forked(); }
  bool truncated() const noexcept { return segment().truncated(); }
  void check_not_truncated() const { segment().check_not_truncated(); }
  // Throws what explains it: that the segment was truncated, the stream removed, or else Errc::corrupt.
  [[noreturn]] void throw_corrupt(const std::string& what) const;
  // Heartbeat: the slot's participant made progress.
  void beat(std::uint32_t slot) const noexcept;

  // See Facility.
  void check() override;
  void prepare(std::uint32_t slot) noexcept override;
  void mark_settled(std::uint32_t slot) noexcept override;
  void wake_all() noexcept override;
  void describe(std::vector<SegmentPart>& parts) const override;
  bool on_truncation() noexcept override;
  // In stream/attached_buffers.cpp and shed.cpp.
  void collect_roots(layout::FacilityId pool, std::vector<std::uint64_t>& roots) override;
  bool shed(layout::FacilityId pool) override;
  // In stream/repair.cpp.
  bool repair(std::uint32_t slot, RepairTally& tally) override;
  // In stream/holdings.cpp.
  void find_holdings(std::uint32_t slot, std::vector<std::uint64_t>& generations) override;
  std::uint64_t bytes_of(std::span<const std::uint64_t> slabs) const noexcept override {
    return slabs.size() * geometry_.slab_bytes;
  }
  bool is_in_the_way(std::uint32_t slot, layout::SlotRegistration registration) override;
  void release(std::uint32_t slot) noexcept override;
  std::uint32_t count_released(std::span<const std::uint64_t> generations,
                               std::span<const std::uint32_t> gone) override;

 private:
  void set_dump(platform::Dump dump) noexcept;  // of the slabs, in supplied memory
  std::byte* slabs(MappedOnDemand& range, platform::FileAccess access);

  const layout::StreamGeometry geometry_;
  MappedOnDemand writing_;  // slabs
  MappedOnDemand reading_;  // slabs, read-only
};

// The stream `name` of a segment, for a handle. Throws Error: not_found, and as the constructor.
std::shared_ptr<StreamCore> open_stream(const std::shared_ptr<SegmentCore>& segment, std::string_view name);
// The same if it is there.
std::shared_ptr<StreamCore> find_stream(const std::shared_ptr<SegmentCore>& segment, std::string_view name);

// Its type, for facilities.cpp.
FacilityType stream_type() noexcept;

}  // namespace SAPBUF_DETAIL
