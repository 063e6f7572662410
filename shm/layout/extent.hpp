// The extent table: one word for each granule of each slab (per-writer order). It is the truth about who may write
// where; the frames inside the slab repeat it, so that a closed slab can be read without it.
//
// An extent is a row of granules. Its first word says what it is; if it has more than one granule, its last word says
// how far back the first one is, and those between stay free. So a row can be found from both its ends.
//
//   63     62 61      50 49                  30 29            0
//   +--------+----------+----------------------+--------------+
//   | state  |  owner   |  granules            | messages     |
//   +--------+----------+----------------------+--------------+
//                         of the row; in a `last` word: back to the first one
//
//   free -> last            the claimer, before it opens the extent; repair of a hole
//   free -> open            the claimer, after its fetch_add                     (release: the extent frame is there)
//   free -> closed          a claimer whose claim ran over the end; repair of a hole
//   open -> closed          the owner; the closer of an idle owner; repair of a dead one   (release: the NOP is there)
//   any  -> free            cleaning, under the stream's lock
//
//   written by   as above: of a slab that is readable, nobody else than its claimer, owner, closer or repair
//   read by      readers, closers, repair, inspect
//   edge         extent-open, extent-close: release <-> acquire
//   crash        free below the cursor: a hole, which repair closes;  open: repair, or a closer, closes it
#pragma once

#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

enum class ExtentState : std::uint8_t { free = 0, open = 1, closed = 2, last = 3 };

struct Extent {
  static constexpr std::size_t kMaxOwners = 1u << 12;  // that the word can tell from each other

  std::uint64_t word = 0;

  static constexpr Extent make(ExtentState state, std::uint32_t owner, std::uint64_t granules,
                               std::uint64_t messages = 0) noexcept {
    return {std::uint64_t{static_cast<std::uint8_t>(state)} << 62 | std::uint64_t{owner} << 50 | granules << 30 |
            (messages & kMessages)};
  }
  constexpr ExtentState state() const noexcept { return static_cast<ExtentState>(word >> 62); }
  constexpr std::uint32_t owner() const noexcept { return static_cast<std::uint32_t>(bits(word, 50, 12)); }
  constexpr std::uint64_t granules() const noexcept { return bits(word, 30, 20); }  // 0 is never stored
  constexpr std::uint64_t messages() const noexcept { return word & kMessages; }    // only once closed
  // Whether an extent begins here.
  constexpr bool begins() const noexcept { return state() == ExtentState::open || state() == ExtentState::closed; }

 private:
  static constexpr std::uint64_t kMessages = (std::uint64_t{1} << 30) - 1;
};

inline constexpr std::uint64_t kMaxExtentsPerSlab = (std::uint64_t{1} << 20) - 1;
inline constexpr std::uint64_t kMinGranuleBytes = 512;
inline constexpr std::uint64_t kMaxGranulesPerExtent = 32;
inline constexpr std::uint64_t kManyGranules = std::uint64_t{1} << 17;  // of a slab: a table of 1 MiB
static_assert(kMaxSlabBytes / kUnitBytes < std::uint64_t{1} << 30);

}  // namespace sapbuf::layout
