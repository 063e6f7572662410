// A queue of a segment that is open in this process: where everything of it is. What the bytes mean is in
// layout/queue_*.hpp; what is done with them, in the other files of this folder.
#pragma once

#include <sapbuf/layout/queue_geometry.hpp>

#include "pool/pool_core.hpp"
#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

// Everything that is read from shared memory and decides an address is taken from `geometry()`, a private copy that was
// validated when the queue was opened, or checked against it.
class QueueCore final : public Facility {
 public:
  // Throws Error (corrupt, incompatible, resource_exhausted).
  QueueCore(SegmentCore& segment, const DirectoryRecord& record);

  const layout::QueueGeometry& geometry() const noexcept { return geometry_; }
  layout::QueueControl& control() const noexcept { return at<layout::QueueControl>(geometry_.control_at); }
  layout::QueueGroup& group(std::uint32_t number) const noexcept {
    return at<layout::QueueGroup>(geometry_.groups_at + number * sizeof(layout::QueueGroup));
  }
  layout::QueueSlot& slot(std::uint32_t index) const noexcept {
    return at<layout::QueueSlot>(geometry_.slots_at + index * sizeof(layout::QueueSlot));
  }
  // The ring's slot of a position.
  layout::Word& ring(std::uint64_t position) const noexcept {
    return at<layout::Word>(geometry_.ring_at + (position & (geometry_.slots - 1)) * sizeof(layout::Word));
  }
  // What the slot of a position says before that is filled.
  std::uint64_t lap_before(std::uint64_t position) const noexcept {
    return layout::position_after(position, layout::kPositions - geometry_.slots);
  }
  // Of a block below geometry().blocks, as all that follow.
  layout::QueueEntry& entry(std::uint32_t block) const noexcept {
    return at<layout::QueueEntry>(geometry_.entries_at + block * geometry_.entry_bytes);
  }
  layout::Word& state(std::uint32_t block, std::uint32_t group) const noexcept {
    return at<layout::Word>(geometry_.entries_at + block * geometry_.entry_bytes +
                            offsetof(layout::QueueEntry, states) + group * sizeof(layout::Word));
  }
  layout::Word& due(std::uint32_t block, std::uint32_t group) const noexcept {
    return at<layout::Word>(geometry_.due_at + (group * geometry_.blocks + block) * sizeof(layout::Word));
  }
  // Of 64 blocks, one bit each.
  layout::Word& bits(std::uint64_t number, std::uint32_t group) const noexcept {
    return at<layout::Word>(geometry_.bits_at + (group * geometry_.bit_words + number) * sizeof(layout::Word));
  }
  // Where keys have lanes: of those below geometry().lanes; 64 lanes or blocks, one bit each; and in which order blocks
  // came beside the ring, 0: in it.
  layout::Word& lane(std::uint32_t number, std::uint32_t group) const noexcept {
    return at<layout::Word>(geometry_.lanes_at + (group * geometry_.lanes + number) * sizeof(layout::Word));
  }
  layout::Word& lane_bits(std::uint64_t number, std::uint32_t group) const noexcept {
    return at<layout::Word>(geometry_.lane_bits_at + (group * geometry_.lane_words + number) * sizeof(layout::Word));
  }
  layout::Word& waiting_bits(std::uint64_t number, std::uint32_t group) const noexcept {
    return at<layout::Word>(geometry_.waiting_at + (group * geometry_.bit_words + number) * sizeof(layout::Word));
  }
  layout::Word& order(std::uint32_t block) const noexcept {
    return at<layout::Word>(geometry_.order_at + block * sizeof(layout::Word));
  }
  // Of geometry().notes.
  layout::DeliveryNote& note(std::uint32_t block, std::uint32_t group, std::uint32_t number) const noexcept {
    const std::uint64_t at_note = (group * geometry_.blocks + block) * geometry_.notes + number;
    return at<layout::DeliveryNote>(geometry_.notes_at + at_note * sizeof(layout::DeliveryNote));
  }
  // Whether a block is none of the queue's for any group.
  bool is_none(std::uint32_t block) const noexcept;
  // The position behind all that is filled, which is found from the hint on.
  std::uint64_t end() const noexcept;

  // The pool that the blocks are buffers of, opened in this process; not to be called while a facility is being opened.
  // Throws Error (corrupt if that is no pool, or larger than the queue).
  std::shared_ptr<PoolCore> pool();
  layout::FacilityId pool_id() const noexcept { return record().needs; }
  bool full_fences() const noexcept { return segment().full_fences(); }

  // See Facility.
  void check() override;
  void prepare(std::uint32_t slot) noexcept override;
  void mark_settled(std::uint32_t slot) noexcept override;
  void wake_all() noexcept override;
  void describe(std::vector<SegmentPart>& parts) const override;
  // In queue/holdings.cpp. A holding is a block that a consumer has, by its number: its index, plus one.
  void find_holdings(std::uint32_t slot, std::vector<std::uint64_t>& blocks) override;
  std::uint64_t bytes_of(std::span<const std::uint64_t> blocks) const noexcept override;
  bool is_in_the_way(std::uint32_t slot, layout::SlotRegistration registration) override;
  bool repair(std::uint32_t slot, RepairTally& tally) override;
  void release(std::uint32_t slot) noexcept override;
  std::uint32_t count_released(std::span<const std::uint64_t> blocks, std::span<const std::uint32_t> gone) override;
  void collect_roots(layout::FacilityId pool, std::vector<std::uint64_t>& roots) override;

 private:
  const layout::QueueGeometry geometry_;
};

// The queue `name` of a segment, for a handle. Throws Error: not_found, and as the constructor.
std::shared_ptr<QueueCore> open_queue(const std::shared_ptr<SegmentCore>& segment, std::string_view name);
// The same if it is there.
std::shared_ptr<QueueCore> find_queue(const std::shared_ptr<SegmentCore>& segment, std::string_view name);

// Its type, for facilities.cpp.
FacilityType queue_type() noexcept;

}  // namespace SAPBUF_DETAIL
