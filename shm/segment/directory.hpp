// The directory of a segment: finding, making and removing facilities. See layout/directory.hpp for an entry's states.
//
//   make     lock -> clear what the dead left -> entry = making -> allocate the region -> write it -> entry = ready
//   remove   lock -> entry = closing -> is anybody attached? -> the facility's lock -> entry = clearing -> give the pages back
//            -> entry = free
//
//   grow     lock -> allocate what is new -> entry: bytes
//
//   killed while `making`     nobody has seen it: the next holder of the lock clears the region
//   killed while `closing`    nothing was taken away: the next one says `ready` again; so does who opens it or attaches to it, and
//                             finds the lock free
//   killed while `clearing`   the next one clears it once more
//   killed while it grows     the old size; removal gives back all that it might have grown to
//
// Whoever attaches to a facility says so in its slot, and then looks whether the entry is ready still; whoever removes
// it says `closing`, and then looks at the slots (edge: remove). One of the two sees the other.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/layout/directory.hpp>
#include <sapbuf/layout/header.hpp>

namespace SAPBUF_DETAIL {

class SegmentCore;
class Facility;

// An entry, copied and checked: its region lies within the segment.
struct DirectoryRecord {
  layout::FacilityId id;
  layout::FacilityKind kind = layout::FacilityKind::none;
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t most_bytes = 0;
  std::uint64_t layout_hash = 0;
  std::uint64_t created_at_ns = 0;
  layout::FacilityId needs{};
  std::uint64_t choices[layout::kChoices] = {};
};

// A facility that is to be made.
struct FacilityPlan {
  layout::FacilityKind kind = layout::FacilityKind::none;
  std::string name;
  std::uint64_t bytes = 0;  // of its region; a multiple of the page size
  // That it may grow to, where there is room for that; supplied memory may end before. 0: it does not grow.
  std::uint64_t most_bytes = 0;
  std::uint64_t control_bytes = 0;  // of these, from the beginning, what is written when it is made
  std::uint64_t layout_hash = 0;
  layout::FacilityId needs{};  // another one, which cannot be removed before this one; 0: none
  std::uint64_t choices[layout::kChoices] = {};
  std::function<void(std::byte* region)> initialise;  // of zeroed memory, as far as it is the facility's own
};

namespace directory {

// Throws Error (invalid_argument): 1 to 63 bytes of letters, digits and "._-", as they stand in paths and shells.
void check_name(std::string_view name);

// Writes an entry of a segment that nobody else can see yet.
void write_entry(layout::DirectoryEntry& entry, const FacilityPlan& plan, std::uint64_t incarnation,
                 std::uint64_t offset, std::uint64_t most_bytes) noexcept;

// Those that are ready, in the order of their places. Throws Errc::corrupt where an entry makes no sense.
std::vector<DirectoryRecord> list(SegmentCore& core);
// May settle the directory first, if the one that is looked for is not ready.
std::optional<DirectoryRecord> find_by_name(SegmentCore& core, std::string_view name);
// Also one that somebody is about to remove: until that is decided, it is in use.
std::optional<DirectoryRecord> find_by_id(SegmentCore& core, layout::FacilityId id);
// All that may be in use: those that find_by_id() finds.
std::vector<layout::FacilityId> list_in_use(SegmentCore& core);

// Others that are not removed before it; 0: none.
std::array<layout::FacilityId, 2> needs_of(const DirectoryRecord& record) noexcept;

// Whether the entry still is this facility's, also while somebody is about to remove it. Under the facility's lock it stays
// so: who removes it takes that lock.
bool is_in_use(SegmentCore& core, layout::FacilityId id) noexcept;
// Whether the entry still is this facility's, and ready.
//   remove: seq_cst, behind the store of a registration
bool is_ready(SegmentCore& core, layout::FacilityId id) noexcept;
// The same; an entry whose remover died over it is made ready again first.
bool is_ready_or_settled(SegmentCore& core, layout::FacilityId id) noexcept;
// What those who died under the directory's lock left half done, unless somebody has the lock for longer than that.
void settle_what_was_left(SegmentCore& core, std::chrono::milliseconds patience) noexcept;

// Throws Error: exists, no_space, busy (somebody else is at it, and does not come to an end), not_found (what it needs is
// not there any more).
DirectoryRecord make(SegmentCore& core, const FacilityPlan& plan);
// Extends the region to at least `bytes`, rounded up to pages; one that is as large already stays as it is. Throws
// Errc::no_space where it may grow no further, or the system has no room (the region stays as it was), not_found, busy
// (somebody else is at the directory, and did not come to an end while this had patience).
void grow(SegmentCore& core, layout::FacilityId id, std::uint64_t bytes, std::chrono::milliseconds patience);
// False if there is none of that name. Throws Errc::busy while live participants use it, or another facility needs it, or
// as make. The dead are settled first.
bool remove(SegmentCore& core, std::string_view name);

}  // namespace directory

}  // namespace SAPBUF_DETAIL
