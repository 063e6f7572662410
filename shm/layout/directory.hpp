// The directory: which facilities live in a segment, and where. It stands behind the header page, and is mapped
// read-only like that: whoever makes or removes a facility maps it writable for as long as that takes.
//
//                 maker              maker: release       remover          remover            remover
//   free -----------------> making -----------> ready ------------> closing --------> clearing ---------> free
//    ^                        |                   ^                    |                  ^
//    +------------------------+ cleared           +--------------------+ in use           +---- killed: the next one
//      killed: by the next one                      or killed: the next one                     clears it once more
//
// All edges are walked under the directory lock. Who finds `making`, `closing` or `clearing` there and has the lock
// knows that whoever wrote it is dead.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/participant.hpp>

namespace sapbuf::layout {

enum class EntryState : std::uint8_t { free = 0, making = 1, ready = 2, closing = 3, clearing = 4 };

//   63                          8 7      0
//   +----------------------------+-------+
//   |        incarnation         | state |      the incarnation grows with each facility that gets the entry
//   +----------------------------+-------+
struct EntryLife {
  std::uint64_t word = 0;

  static constexpr EntryLife make(std::uint64_t incarnation, EntryState state) noexcept {
    return {incarnation << 8 | static_cast<std::uint8_t>(state)};
  }
  constexpr std::uint64_t incarnation() const noexcept { return word >> 8; }
  constexpr EntryState state() const noexcept { return static_cast<EntryState>(word & 0xff); }
};

// What stands in `kind`. A number is never given to another kind of facility.
enum class FacilityKind : std::uint64_t { none = 0, stream = 1, pool = 2, map = 3, queue = 4, cell = 5 };

inline constexpr std::size_t kFacilityNameBytes = 64;
inline constexpr std::size_t kChoices = 8;

struct alignas(kLineBytes) DirectoryEntry {
  // EntryLife.
  //   written by  makers and removers, under the directory lock
  //   read by     whoever looks for a facility, or attaches to it
  //   edge        directory: release, when all below is written, and the region is what it says <-> acquire;
  //               remove: seq_cst
  //   crash       see above
  Word life;
  // The words below:
  //   written by  makers, while the entry is `making`, under the directory lock
  //   read by     whoever looks for a facility; believed while the entry is `ready` before and behind it
  //   edge        directory, as `life`
  //   crash       whoever has the directory lock next clears the region, and frees the entry
  Word kind;    // FacilityKind
  Word offset;  // of its region, from the segment's first byte; a multiple of the page size
  // Of its region, allocated.
  //   written by  its maker; whoever extends the region, under the directory lock: it only grows
  //   read by     whoever touches what lies beyond it so far
  //   edge        growth: release, behind the allocation <-> acquire
  //   crash       of who extends: the old size, and pages behind it that the next one finds allocated
  Word bytes;
  Word most_bytes;                    // that it may grow to; as many as `bytes` if it may not
  Word layout_hash;                   // of the kind's own structs
  Word created_at_ns;                 // wall clock
  Word needs;                         // FacilityId of another one, which is not removed before this one; 0: none
  Word name[kFacilityNameBytes / 8];  // UTF-8, padded with zero bytes
  Word choices[kChoices];             // its options, as its kind writes them; zero behind them
};

inline constexpr std::uint32_t kMaxFacilities = 64;
struct alignas(kLineBytes) Directory {
  DirectoryEntry entries[kMaxFacilities];
};

inline constexpr Field kDirectoryEntryFields[] = {
    SAPBUF_FIELD(DirectoryEntry, life),          SAPBUF_FIELD(DirectoryEntry, kind),
    SAPBUF_FIELD(DirectoryEntry, offset),        SAPBUF_FIELD(DirectoryEntry, bytes),
    SAPBUF_FIELD(DirectoryEntry, most_bytes),    SAPBUF_FIELD(DirectoryEntry, layout_hash),
    SAPBUF_FIELD(DirectoryEntry, created_at_ns), SAPBUF_FIELD(DirectoryEntry, needs),
    SAPBUF_FIELD(DirectoryEntry, name),          SAPBUF_FIELD(DirectoryEntry, choices)};
static_assert(sizeof(DirectoryEntry) == 192 && covers(kDirectoryEntryFields, sizeof(DirectoryEntry)));
static_assert(sizeof(Directory) % kPageBytes == 0 && kMaxFacilities <= 256);

}  // namespace sapbuf::layout
