// Which generation lives where, and how far it is claimed.
#pragma once

#include <optional>

#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

// The slab that the cursor points into, with its whole generation. generation 0: the words contradict themselves
// (corrupt).
struct ActiveSlab {
  std::uint64_t generation = 0;
  std::uint32_t slab = 0;
  std::uint64_t offset_bytes = 0;  // of the cursor; may lie behind the slab's end

  bool valid() const noexcept { return generation != 0; }
};
ActiveSlab load_active(StreamCore& core) noexcept;
// The same, for those who can do nothing without: throws Errc::corrupt.
ActiveSlab expect_active(StreamCore& core);

// Calls `visit(slab, life)` for each slab, whatever state it is in.
template <typename Visit>
void for_each_slab(StreamCore& core, Visit visit) {
  for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
    // life: acquire, so that descriptor, extent table and slab are seen at least as new.
    visit(slab, layout::SlabLife{core.descriptor(slab).life.load(std::memory_order_acquire)});
  }
}
// The first slab whose life passes `test`.
template <typename Test>
std::optional<std::uint32_t> first_slab(StreamCore& core, Test test) {
  for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
    if (test(layout::SlabLife{core.descriptor(slab).life.load(std::memory_order_acquire)})) return slab;
  }
  return std::nullopt;
}

// The slab in which a generation can be read (active or sealed), if it is still there.
std::optional<std::uint32_t> find_slab(StreamCore& core, std::uint64_t generation) noexcept;

// A generation, and the slab that it lives in.
struct SlabGeneration {
  std::uint64_t generation;
  std::uint32_t slab;
};
// What a located claim points into, if that generation can still be read there. Otherwise, and of a claim that points
// nowhere: nothing.
std::optional<SlabGeneration> slab_of(StreamCore& core, layout::Claim claim) noexcept;
// The oldest generation, from `at_least` on, that can be read.
std::optional<SlabGeneration> find_oldest(StreamCore& core, std::uint64_t at_least) noexcept;

// The newest one that stands in a slab.
std::uint64_t newest_generation(StreamCore& core) noexcept;

// Calls `visit` with the readable slabs, oldest generation first: each once at the most, however fast they change.
template <typename Visit>
void for_each_readable(StreamCore& core, Visit visit) {
  auto where = find_oldest(core, 1);
  for (std::uint32_t seen = 0; where && seen < core.geometry().slabs; ++seen) {
    visit(*where);
    where = find_oldest(core, where->generation + 1);
  }
}

// Bytes of a readable slab that have been claimed: final once its generation is no longer the active one.
std::uint64_t claimed_bytes(StreamCore& core, const ActiveSlab& active, SlabGeneration where) noexcept;

// Settles what a flipper or reclaimer that died left half done: older generations that still say `active`, and those
// that say `reclaiming` (nothing of them was cleaned yet), are sealed. Under the lock.
void mend_states(StreamCore& core, const ActiveSlab& active) noexcept;

}  // namespace SAPBUF_DETAIL
