// What a pool is made of and where each part begins. Computed from the choices in its directory entry by everybody who
// opens it, and kept in private memory.
//
//   + head    + control  + participants x 2496               + most x 8  + most / 64 x 8   + most x 4     page-aligned
//   +---------+----------+---------+------------------------+-----------+-----------------+------------+---------+---------+---
//   | head    | control  | slots   | magazines              | words     | chunks          | since      | piece 0 | piece 1 |...
//   |         |          |         | of classes             |           |                 |            |         |         |
//   +---------+----------+---------+------------------------+-----------+-----------------+------------+---------+---------+---
//   \________ mapped by whoever uses the pool ________________________________________________________/\_ grows ___________
//
// A pool of one size has buffers for pieces. With size classes, a buffer is so many adjacent pieces as its class says, its number
// is that of its first piece, and the words of the others say `free`. There are participants x classes x 64 bytes of magazines
// then, and none otherwise.
//
// `since` has 4 bytes for each buffer: when it left the pool, or was shared, in milliseconds since the pool was made, modulo
// 2^32. A buffer that its user puts into its magazine, and acquires again from there, counts from the first time. Of a
// chunk that somebody has whole, the first buffer's time is that of all.
//   written by   who makes a word local or shared, behind that: refill, acquiring past the magazine, runs, serving, sharing
//   read by      inspect
//   edge         none: a figure
//   crash        the time of the use before
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include <sapbuf/layout/directory.hpp>
#include <sapbuf/layout/facility.hpp>
#include <sapbuf/layout/policy.hpp>
#include <sapbuf/layout/pool_chunk.hpp>
#include <sapbuf/layout/pool_slot.hpp>
#include <sapbuf/layout/size_class.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kMaxBufferBytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kMaxAlignment = std::uint64_t{2} << 20;
inline constexpr std::uint64_t kMaxBuffers = std::uint64_t{1} << 31;

struct PoolGeometry {
  std::uint64_t buffer_bytes = 0;   // with size classes, of the smallest one
  std::uint64_t largest_bytes = 0;  // of the largest class; 0: there is one size
  std::uint64_t alignment = 0;
  std::uint64_t count = 0;      // at first
  std::uint64_t max_count = 0;  // that it may grow to
  Grow grow = Grow::anyone;
  std::uint32_t participants = 0;
  // Offsets from the segment's first byte.
  std::uint64_t head_at = 0;
  std::uint64_t control_at = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t magazines_at = 0;
  std::uint64_t words_at = 0;
  std::uint64_t chunks_at = 0;
  std::uint64_t since_at = 0;
  std::uint64_t buffers_at = 0;
  std::uint64_t stride_bytes = 0;  // from one buffer, or piece, to the next
  std::uint32_t classes = 0;       // 0: one size
  std::uint64_t reciprocal = 0;    // 2^64 / stride_bytes, rounded up: see pieces_for()

  constexpr std::uint64_t bytes_with(std::uint64_t buffers) const noexcept {  // of the region
    return round_up(buffers_at + buffers * stride_bytes - head_at, kPageBytes);
  }
  constexpr std::uint64_t buffers_in(std::uint64_t bytes) const noexcept {  // of the region
    const std::uint64_t fit = std::min((bytes - (buffers_at - head_at)) / stride_bytes, max_count);
    return classes == 0 ? fit : fit / kChunkBuffers * kChunkBuffers;  // blocks have whole chunks
  }
};

// Of a buffer of so many bytes, at least 1, at the most kMaxBufferBytes. A multiplication instead of a division, which takes longer than all
// the rest of acquiring: exact as long as the product of both is below 2^62.
constexpr std::uint32_t pieces_for(const PoolGeometry& g, std::uint64_t bytes) noexcept {
  __extension__ typedef unsigned __int128 Wide;
  return static_cast<std::uint32_t>(static_cast<Wide>(bytes + g.stride_bytes - 1) * g.reciprocal >> 64);
}

constexpr std::uint64_t chunks_of(std::uint64_t buffers) noexcept {
  return (buffers + kChunkBuffers - 1) / kChunkBuffers;
}

// Fills in the offsets of a region that begins at `region`, from the choices above them.
constexpr void place(PoolGeometry& g, std::uint64_t region) noexcept {
  g.stride_bytes = round_up(g.buffer_bytes, g.alignment);
  g.reciprocal = ~std::uint64_t{0} / g.stride_bytes + 1;
  g.classes = g.largest_bytes == 0 ? 0 : size_class_of(pieces_for(g, g.largest_bytes)) + 1;
  g.head_at = region;
  g.control_at = g.head_at + sizeof(FacilityHead);
  g.slots_at = g.control_at + sizeof(PoolControl);
  g.magazines_at = g.slots_at + g.participants * sizeof(PoolSlot);
  g.words_at = g.magazines_at + std::uint64_t{g.participants} * g.classes * sizeof(ClassMagazine);
  g.chunks_at = g.words_at + g.max_count * sizeof(Word);
  g.since_at = g.chunks_at + chunks_of(g.max_count) * sizeof(Word);
  g.buffers_at = round_up(g.since_at + g.max_count * sizeof(HalfWord), kPageBytes);
}

// The choices as a directory entry has them, and back. Nothing if a word says what this library does not know.
void write_choices(const PoolGeometry& geometry, std::uint64_t (&choices)[kChoices]) noexcept;
std::optional<PoolGeometry> read_pool_choices(const std::uint64_t (&choices)[kChoices]) noexcept;

// Why these choices cannot work and what would; nothing if they can.
std::optional<std::string> problem_with(const PoolGeometry& geometry);

// Changes with every shared struct of pools: see layout_hash().
constexpr std::uint64_t pool_layout_hash() noexcept {
  return LayoutHash{}
      .add(kFacilityHeadFields, sizeof(FacilityHead))
      .add(kJournalEntryFields, sizeof(JournalEntry))
      .add(kEventFields, sizeof(Event))
      .add(kPoolControlFields, sizeof(PoolControl))
      .add(kDepartedUsersFields, sizeof(DepartedUsers))
      .add(kPoolSlotFields, sizeof(PoolSlot))
      .add(kClassMagazineFields, sizeof(ClassMagazine))
      .add(kRoots)
      .add(kMagazine)
      .add(kChunkBuffers)
      .add(Request::kKindBits)
      .value();
}

}  // namespace sapbuf::layout
