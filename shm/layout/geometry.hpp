// Geometry: what a segment is made of and where each part begins. Computed once at creation, stored in the header, and
// recomputed and compared by everybody who opens the segment; nobody reads it from shared memory again.
//
//   0            4096       + control                   + slots       + descriptors          page-aligned
//   +------------+----------+---------------------------+-------------+----------------------+---------+-----
//   | header     | control  | slots: participants x 448 | slabs x 64  | slabs x granules x 8 | slab 0  | ...
//   +------------+----------+---------------------------+-------------+----------------------+---------+-----
//   \ read-only /\____ mapped read-write by every participant _________________________________/ \ read-only
//                                                                                                by readers
#pragma once

#include <optional>
#include <string>

#include <sapbuf/layout/control.hpp>
#include <sapbuf/layout/extent.hpp>
#include <sapbuf/layout/frame.hpp>
#include <sapbuf/layout/participant.hpp>
#include <sapbuf/layout/slab.hpp>

namespace sapbuf {

// In which order frames are delivered. Chosen when the stream is made.
enum class Order : std::uint8_t {
  per_writer = 0,  // each writer's own order; writers fill extents of their own and hardly meet
  total = 1,       // one order for all readers; every message is claimed from the shared cursor
};

// What a writer does when no slab can be had.
enum class OnFull : std::uint8_t {
  block = 0,      // wait, up to the writer's timeout
  drop = 1,       // drop the new message, and count it
  overwrite = 2,  // take the oldest sealed slab that nobody has pinned; readers learn how much they lost
};

// How the common path orders its stores before its loads.
enum class Fences : std::uint8_t {
  membarrier = 0,  // the rare side pays, by membarrier(2); the common path has compiler fences only
  full = 1,        // both sides use seq_cst fences: slower, for systems where membarrier is not allowed
};

}  // namespace sapbuf

namespace sapbuf::layout {

struct Geometry {
  std::uint64_t slab_bytes = 0;
  std::uint64_t extent_bytes = 0;
  std::uint32_t slabs = 0;
  std::uint32_t participants = 0;
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  Fences fences = Fences::membarrier;
  std::uint8_t retain = 0;        // 1: nothing is reclaimed before a first reader has attached (policy block only)
  std::uint8_t reserved[4] = {};  // zero; a later version that needs them must not be taken for this one
  // Offsets from the segment's first byte, and its whole size.
  std::uint64_t control_at = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t descriptors_at = 0;
  std::uint64_t extents_at = 0;
  std::uint64_t slabs_at = 0;
  std::uint64_t total_bytes = 0;
  // Per-writer order: extents are claimed in multiples of it, and the extent table has a word for each. From
  // extent_bytes.
  std::uint64_t granule_bytes = 0;

  bool operator==(const Geometry&) const = default;

  constexpr bool has_unknown() const noexcept {
    for (const std::uint8_t byte : reserved) {
      if (byte != 0) return true;
    }
    return false;
  }
  constexpr std::uint64_t granules_per_slab() const noexcept { return slab_bytes / granule_bytes; }
  constexpr std::uint64_t slab_at(std::uint32_t slab) const noexcept { return slabs_at + slab * slab_bytes; }
  // Whether the messages of each generation are counted when it is closed: where readers must learn what they lost, and
  // where the extent table has the number anyway.
  constexpr bool counts_messages() const noexcept { return on_full == OnFull::overwrite || order == Order::per_writer; }
  // The largest payload that a message may have.
  constexpr std::uint64_t max_payload_bytes() const noexcept {
    return order == Order::total ? slab_bytes - kUnitBytes
                                 : slab_bytes - kExtentFrameBytes - kUnitBytes - kExtentTailBytes;
  }
};
static_assert(sizeof(Geometry) == 88);

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

// Fills in the offsets from the choices above them.
constexpr void place(Geometry& g) noexcept {
  g.granule_bytes = granule_of(g.slab_bytes, g.extent_bytes);
  g.control_at = kPageBytes;
  g.slots_at = g.control_at + round_up(sizeof(Control), kPageBytes);
  g.descriptors_at = g.slots_at + g.participants * sizeof(ParticipantSlot);
  g.extents_at = g.descriptors_at + g.slabs * sizeof(SlabDescriptor);
  const std::uint64_t table = g.order == Order::per_writer ? g.slabs * g.granules_per_slab() * sizeof(Word) : 0;
  g.slabs_at = round_up(g.extents_at + table, kPageBytes);
  g.total_bytes = g.slabs_at + g.slabs * g.slab_bytes;
}

// Why these choices cannot work and what would; nothing if they can.
std::optional<std::string> problem_with(const Geometry& geometry);

}  // namespace sapbuf::layout
