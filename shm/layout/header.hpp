// The header page: what kind of file this is. Read and checked before anything else in a segment is believed.
#pragma once

#include <bit>
#include <optional>
#include <string>

#include <sapbuf/layout/control.hpp>
#include <sapbuf/layout/directory.hpp>
#include <sapbuf/layout/participant.hpp>
#include <sapbuf/layout/policy.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kMagic = 0x0000'4655'4250'4153;  // "SAPBUF\0\0" in the byte order of the machine
inline constexpr std::uint32_t kAbiVersion = 2;
inline constexpr std::uint32_t kByteOrderMark = 0x0102'0304;

// What a segment is made of, and where each part begins. Computed once at creation, stored in the header, and
// recomputed and compared by everybody who opens the segment; nobody reads it from shared memory again.
//
//   0          4096          + directory   + control   + participants x 320      page-aligned
//   +----------+-------------+-------------+-----------+-------------------------+---------------+-----
//   | header   | directory   | control     | slots                               | regions of facilities
//   +----------+-------------+-------------+-----------+-------------------------+---------------+-----
//   \ mapped read-only ______/\__ read-write by every participant _______________/\_ as each facility says
struct SegmentGeometry {
  std::uint32_t participants = 0;
  Fences fences = Fences::membarrier;
  std::uint8_t reserved[3] = {};  // zero; a later version that needs them must not be taken for this one
  // Offsets from the segment's first byte.
  std::uint64_t directory_at = 0;
  std::uint64_t control_at = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t regions_at = 0;
  // The segment ends there at the latest: the size of memory that a caller supplied; 0 for a file, which may grow.
  std::uint64_t most_bytes = 0;

  bool operator==(const SegmentGeometry&) const = default;
  constexpr bool has_unknown() const noexcept { return (reserved[0] | reserved[1] | reserved[2]) != 0; }
};

constexpr void place(SegmentGeometry& g) noexcept {
  g.directory_at = kPageBytes;
  g.control_at = g.directory_at + sizeof(Directory);
  g.slots_at = g.control_at + sizeof(Control);
  g.regions_at = round_up(g.slots_at + g.participants * sizeof(ParticipantSlot), kPageBytes);
}

// Why these choices cannot work and what would; nothing if they can.
std::optional<std::string> problem_with(const SegmentGeometry& geometry);

enum class InitState : std::uint64_t { unfinished = 0, ready = 0x7265'6164'79 };

// Immutable once it is there, and mapped read-only.
//   written by  the creator, before anybody else sees it (in supplied memory: before init_state is `ready`)
//   read by     whoever opens the segment
//   edge        create: release, when all of the segment is there <-> acquire
//   crash       a named segment: nothing is left;  supplied memory: init_state is not `ready`, and it holds no segment
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t abi_version;
  std::uint32_t byte_order;
  std::uint64_t layout_hash;
  std::uint64_t creation_id;    // random: tells two segments of one name apart
  std::uint64_t created_at_ns;  // wall clock
  Word init_state;              // InitState; stored last, with release
  SegmentGeometry geometry;
};
inline constexpr Field kSegmentGeometryFields[] = {
    SAPBUF_FIELD(SegmentGeometry, participants), SAPBUF_FIELD(SegmentGeometry, fences),
    SAPBUF_FIELD(SegmentGeometry, reserved),     SAPBUF_FIELD(SegmentGeometry, directory_at),
    SAPBUF_FIELD(SegmentGeometry, control_at),   SAPBUF_FIELD(SegmentGeometry, slots_at),
    SAPBUF_FIELD(SegmentGeometry, regions_at),   SAPBUF_FIELD(SegmentGeometry, most_bytes)};
inline constexpr Field kSegmentHeaderFields[] = {
    SAPBUF_FIELD(SegmentHeader, magic),       SAPBUF_FIELD(SegmentHeader, abi_version),
    SAPBUF_FIELD(SegmentHeader, byte_order),  SAPBUF_FIELD(SegmentHeader, layout_hash),
    SAPBUF_FIELD(SegmentHeader, creation_id), SAPBUF_FIELD(SegmentHeader, created_at_ns),
    SAPBUF_FIELD(SegmentHeader, init_state),  SAPBUF_FIELD(SegmentHeader, geometry)};
static_assert(covers(kSegmentGeometryFields, sizeof(SegmentGeometry)));
static_assert(covers(kSegmentHeaderFields, sizeof(SegmentHeader)) && sizeof(SegmentHeader) <= kPageBytes);
static_assert(std::is_standard_layout_v<SegmentHeader>);
// What every version must find where it was: whoever meets another version's segment says so by these.
static_assert(offsetof(SegmentHeader, magic) == 0 && offsetof(SegmentHeader, abi_version) == 8 &&
              offsetof(SegmentHeader, byte_order) == 12 && offsetof(SegmentHeader, layout_hash) == 16);
static_assert(std::endian::native == std::endian::little, "the segment's words are little-endian");

// A number that changes whenever a struct that all segments have changes its size, or a field its name or place, even if
// nobody raised kAbiVersion. Each kind of facility has one of its own for what stands in its region.
constexpr std::uint64_t layout_hash() noexcept {
  return LayoutHash{}
      .add(kSegmentHeaderFields, sizeof(SegmentHeader))
      .add(kSegmentGeometryFields, sizeof(SegmentGeometry))
      .add(kDirectoryEntryFields, sizeof(DirectoryEntry))
      .add(kControlFields, sizeof(Control))
      .add(kParticipantSlotFields, sizeof(ParticipantSlot))
      .add(kMaxParticipants)
      .add(kMaxFacilities)
      .value();
}

// Liveness and exclusion are OFD locks on bytes of the segment's file. The offsets lie far behind any data.
inline constexpr std::uint64_t kLockBase = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kDirectoryLock = kLockBase + 1024;  // held while facilities are made and removed
// + index of a facility: held while its shared state is changed off the hot path, or its dead are repaired
inline constexpr std::uint64_t kMaintenanceLocks = kLockBase + 1;
inline constexpr std::uint64_t kSlotLocks = kLockBase + 4096;  // + slot index: held by whoever is attaching there
// + a number that a process takes by chance, its life. As long as it can reach the segment's memory, it holds the lock.
inline constexpr std::uint64_t kLifeLocks = std::uint64_t{1} << 61;
inline constexpr std::uint64_t kLifeMask = (std::uint64_t{1} << 56) - 1;

}  // namespace sapbuf::layout
