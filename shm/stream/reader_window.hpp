// What a reader knows of one generation that it has not finished: a *window*.
//
// In per-writer order it has a *place* for each extent: readers follow all open extents of all windows at once, so an
// idle writer's open extent in an old generation does not keep them from newer ones. In total order a window has one
// place, and the next window is entered when it is finished.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sapbuf/abi.hpp>

namespace SAPBUF_DETAIL {

struct Place {
  const std::byte* at = nullptr;    // the next header
  const std::byte* end = nullptr;   // at or behind `at`; nothing more is to come at `at == end`
  const std::byte* stop = nullptr;  // as far as it is read now: `end`, or what was claimed (total order)
  std::uint64_t extent = 0;         // per-writer order: its first granule
  std::uint32_t owner = 0;          // and its owner's slot
  bool deferred = false;            // not in this range: see ReaderWindows::trail

  bool finished() const noexcept { return at >= end; }
};

// Granules of a slab, from `begin` up to `end`.
struct Granules {
  std::uint64_t begin;
  std::uint64_t end;
};

// Messages that a reader has gone over: handed out, or left out on the way to the newest.
struct Passed {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // of payload

  constexpr Passed& operator+=(const Passed& more) noexcept {
    messages += more.messages;
    bytes += more.bytes;
    return *this;
  }
};

struct Window {
  std::uint64_t generation = 0;
  std::uint32_t slab = 0;
  std::uint64_t discovered = 0;    // granules (or, in total order, 1 once the place is there)
  bool ended = false;              // the cursor has left it: no more claims will come
  std::vector<Granules> untraced;  // claimed, and not opened yet when they were looked at
  std::vector<Place> places;       // oldest claim first
  Passed passed;
  bool in_range = true;  // overwrite: the range that is alive goes through it

  bool finished() const noexcept { return ended && untraced.empty() && discovered != 0 && places.empty(); }
  // Total order: its end was not reached, so nothing behind it can be read.
  bool blocks_chain() const noexcept { return !places.empty() && !places.front().finished(); }
};

}  // namespace SAPBUF_DETAIL
