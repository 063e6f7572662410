// What a stream is made of and where each part begins. Computed from the choices in its directory entry by everybody who
// opens it, and kept in private memory.
//
//   region + head    + control + participants x 256 + slabs x 64  + slabs x granules x 8         page-aligned
//   +------+---------+---------+--------------------+-------------+-----------------+---------------+--------+-----
//   | head | control | slots   | descriptors | extent tables | attached buffers | durable readers | slab 0 | ...
//   +------+---------+---------+-------------+---------------+------------------+-----------------+--------+-----
//   \_____ mapped read-write by every participant ________________________________________________/\_ read-only by
//                                                                                                     readers
#pragma once

#include <optional>
#include <string>

#include <sapbuf/layout/attached_buffers.hpp>
#include <sapbuf/layout/directory.hpp>
#include <sapbuf/layout/durable_reader.hpp>
#include <sapbuf/layout/extent.hpp>
#include <sapbuf/layout/facility.hpp>
#include <sapbuf/layout/frame.hpp>
#include <sapbuf/layout/policy.hpp>
#include <sapbuf/layout/slab.hpp>
#include <sapbuf/layout/stream_control.hpp>
#include <sapbuf/layout/stream_slot.hpp>

namespace sapbuf::layout {

inline constexpr std::uint32_t kMaxPayloadAlignment = kLineBytes;

struct StreamGeometry {
  std::uint64_t slab_bytes = 0;
  std::uint64_t extent_bytes = 0;
  std::uint32_t slabs = 0;
  std::uint32_t participants = 0;  // the segment's
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  bool retain = false;            // nothing is reclaimed before a first reader has attached (policy block only)
  std::uint32_t attachments = 0;  // buffers that may be attached to the messages of a slab before it counts as full
  // Each payload begins at a multiple of it: a power of two, 8 to 64. Filler stands behind frames whose span is no multiple
  // of it, and in front of the first one.
  std::uint32_t payload_alignment = kUnitBytes;
  std::uint32_t durable_readers = 0;  // for which there is room
  // Offsets from the segment's first byte, and the size of the whole region.
  std::uint64_t head_at = 0;
  std::uint64_t control_at = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t descriptors_at = 0;
  std::uint64_t extents_at = 0;
  std::uint64_t attached_at = 0;
  std::uint64_t durable_at = 0;
  std::uint64_t slabs_at = 0;
  std::uint64_t bytes = 0;
  // Per-writer order: extents are claimed in multiples of it, and the extent table has a word for each. From
  // extent_bytes.
  std::uint64_t granule_bytes = 0;

  bool operator==(const StreamGeometry&) const = default;

  constexpr std::uint64_t granules_per_slab() const noexcept { return slab_bytes / granule_bytes; }
  // Entries of a slab's array of attached buffers; and its bytes.
  constexpr std::uint32_t attached_places() const noexcept { return attachments + participants; }
  constexpr std::uint64_t attached_bytes() const noexcept {
    return round_up(sizeof(AttachedBuffers) + attached_places() * sizeof(AttachedBuffer), kLineBytes);
  }
  // The words of a durable reader's table for a slab, its bytes, and those of a durable reader.
  constexpr std::uint64_t durable_places() const noexcept { return order == Order::total ? 1 : granules_per_slab(); }
  constexpr std::uint64_t durable_table_bytes() const noexcept {
    return round_up((kDurableTableHead + durable_places()) * sizeof(Word), kLineBytes);
  }
  constexpr std::uint64_t durable_bytes() const noexcept {
    return sizeof(DurableReader) + slabs * durable_table_bytes();
  }
  constexpr std::uint64_t end() const noexcept { return head_at + bytes; }  // of the region
  constexpr std::uint64_t slab_at(std::uint32_t slab) const noexcept { return slabs_at + slab * slab_bytes; }
  // Whether the messages of each generation are counted when it is closed: where readers must learn what they lost, and
  // where the extent table has the number anyway.
  constexpr bool counts_messages() const noexcept { return on_full == OnFull::overwrite || order == Order::per_writer; }
  // Where the first message's header stands, from the beginning of an extent (per-writer order) or a slab (total order).
  constexpr std::uint64_t first_header_at() const noexcept {
    const std::uint64_t in_front = order == Order::total ? 0 : kExtentFrameBytes;
    return round_up(in_front + kUnitBytes, payload_alignment) - kUnitBytes;
  }
  // Where the cursor begins in a slab: claims are the extents, or the messages.
  constexpr std::uint64_t first_claim_at() const noexcept { return order == Order::total ? first_header_at() : 0; }
  // Per-writer order: bytes of an extent that no message can have.
  constexpr std::uint64_t extent_overhead() const noexcept { return first_header_at() + kExtentTailBytes; }
  // The largest payload that a message may have.
  constexpr std::uint64_t max_payload_bytes() const noexcept {
    const std::uint64_t room = slab_bytes - first_header_at() - (order == Order::total ? 0 : kExtentTailBytes);
    return room / payload_alignment * payload_alignment - kUnitBytes;
  }
};

// So fine that rounding an extent up to it wastes little, and so coarse that a slab's table stays small beside the
// slab. A divisor of extent_bytes, and so of the slab.
constexpr std::uint64_t granule_of(std::uint64_t slab_bytes, std::uint64_t extent_bytes) noexcept {
  std::uint64_t granule = extent_bytes;
  while (granule % (2 * kLineBytes) == 0 && granule / 2 >= kMinGranuleBytes &&
         extent_bytes / (granule / 2) <= kMaxGranulesPerExtent && slab_bytes / (granule / 2) <= kManyGranules) {
    granule /= 2;
  }
  return granule;
}

// Fills in the offsets of a region that begins at `region`, from the choices above them.
constexpr void place(StreamGeometry& g, std::uint64_t region) noexcept {
  g.granule_bytes = granule_of(g.slab_bytes, g.extent_bytes);
  g.head_at = region;
  g.control_at = g.head_at + sizeof(FacilityHead);
  g.slots_at = g.control_at + sizeof(StreamControl);
  g.descriptors_at = g.slots_at + g.participants * sizeof(StreamSlot);
  g.extents_at = g.descriptors_at + g.slabs * sizeof(SlabDescriptor);
  const std::uint64_t table = g.order == Order::per_writer ? g.slabs * g.granules_per_slab() * sizeof(Word) : 0;
  g.attached_at = round_up(g.extents_at + table, kLineBytes);
  g.durable_at = round_up(g.attached_at + g.slabs * g.attached_bytes(), kLineBytes);
  g.slabs_at = round_up(g.durable_at + g.durable_readers * g.durable_bytes(), kPageBytes);
  g.bytes = g.slabs_at + g.slabs * g.slab_bytes - region;
}

// The choices as a directory entry has them, and back. Nothing if a word says what this library does not know.
void write_choices(const StreamGeometry& geometry, std::uint64_t (&choices)[kChoices]) noexcept;
std::optional<StreamGeometry> read_choices(const std::uint64_t (&choices)[kChoices]) noexcept;

// Why these choices cannot work and what would; nothing if they can.
std::optional<std::string> problem_with(const StreamGeometry& geometry);

// Changes with every shared struct of streams: see layout_hash().
constexpr std::uint64_t stream_layout_hash() noexcept {
  return LayoutHash{}
      .add(kFacilityHeadFields, sizeof(FacilityHead))
      .add(kJournalEntryFields, sizeof(JournalEntry))
      .add(kEventFields, sizeof(Event))
      .add(kStreamControlFields, sizeof(StreamControl))
      .add(kDepartedRecordFields, sizeof(DepartedRecord))
      .add(kStreamSlotFields, sizeof(StreamSlot))
      .add(kLedgerRecordFields, sizeof(LedgerRecord))
      .add(kSlabDescriptorFields, sizeof(SlabDescriptor))
      .add(kAttachedBuffersFields, sizeof(AttachedBuffers))
      .add(kAttachedBufferFields, sizeof(AttachedBuffer))
      .add(kDurableReaderFields, sizeof(DurableReader))
      .add(kDurableTableHead)
      .add(kMaxAttachedPlaces)
      .add(kUnitBytes)
      .add(kExtentFrameBytes)
      .add(kExtentTailBytes)
      .add(kGenerationTagMask)
      .add(kMaxSlabs)
      .value();
}

}  // namespace sapbuf::layout
