// The header page: what kind of file this is. Read and checked before anything else in a segment is believed.
#pragma once

#include <bit>

#include <sapbuf/layout/geometry.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kMagic = 0x0000'4655'4250'4153;  // "SAPBUF\0\0" in the byte order of the machine
inline constexpr std::uint32_t kAbiVersion = 1;
inline constexpr std::uint32_t kByteOrderMark = 0x0102'0304;

// A number that changes whenever a shared struct changes its size or a field moves, even if nobody raised kAbiVersion.
constexpr std::uint64_t layout_hash() noexcept {
  const std::uint64_t facts[] = {
      sizeof(Control),
      offsetof(Control, data),
      offsetof(Control, space),
      sizeof(ParticipantSlot),
      offsetof(ParticipantSlot, hold),
      offsetof(ParticipantSlot, revoked),
      sizeof(SlabDescriptor),
      offsetof(Control, departed),
      offsetof(ParticipantSlot, tenure),
      offsetof(ParticipantSlot, time_namespace),
      offsetof(ParticipantSlot, life),
      sizeof(JournalEntry),
      offsetof(Control, journal),
      offsetof(ParticipantSlot, name),
      offsetof(ParticipantSlot, skipped),
      offsetof(DepartedRecord, skipped),
      offsetof(Control, reader_came),
      sizeof(DepartedRecord),
      sizeof(LedgerRecord),
      sizeof(Geometry),
      kUnitBytes,
      kExtentFrameBytes,
      kExtentTailBytes,
      kGenerationTagMask,
      kMaxParticipants,
      kMaxSlabs,
  };
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a, 64 bits
  for (const std::uint64_t fact : facts) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      hash = (hash ^ (fact >> shift & 0xff)) * 1099511628211u;
    }
  }
  return hash;
}

enum class InitState : std::uint64_t { unfinished = 0, ready = 0x7265'6164'79 };

// Written by the creator, before anybody else sees it (in memory that the caller supplies: before init_state is
// `ready`); immutable from then on, and mapped read-only.
//   crash  a named segment: nothing is left;  supplied memory: init_state is not `ready`, and it holds no segment
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t abi_version;
  std::uint32_t byte_order;
  std::uint64_t layout_hash;
  std::uint64_t creation_id;    // random: tells two segments of one name apart
  std::uint64_t created_at_ns;  // wall clock
  Word init_state;              // InitState; stored last, with release
  Geometry geometry;
};
static_assert(std::is_standard_layout_v<SegmentHeader> && sizeof(SegmentHeader) <= kPageBytes);
static_assert(offsetof(SegmentHeader, init_state) == 40 && offsetof(SegmentHeader, geometry) == 48);
static_assert(std::endian::native == std::endian::little, "the segment's words are little-endian");

// Liveness and exclusion are OFD locks on bytes of the segment's file. The offsets lie far behind any data.
inline constexpr std::uint64_t kLockBase = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kMaintenanceLock =
    kLockBase + 1;  // held while slabs change their state or the dead are repaired
inline constexpr std::uint64_t kSlotLocks = kLockBase + 4096;  // + slot index: held by whoever is attaching there
// + a number that a process takes by chance, its life. As long as it can reach the segment's memory, it holds the lock.
inline constexpr std::uint64_t kLifeLocks = std::uint64_t{1} << 61;
inline constexpr std::uint64_t kLifeMask = (std::uint64_t{1} << 56) - 1;

}  // namespace sapbuf::layout
