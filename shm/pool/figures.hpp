// What a user of a pool did, counted: acquired + adopted = released + what it has. The magazine's word counts all that
// the inlined path does, in the store that does it (MagazineState); PoolSlot::has counts what comes into the magazine
// and goes from it otherwise, and what goes past it. So releasing into the magazine counts itself, too:
//
//   in use     = has - elsewhere - depth (with size classes: of all magazines)
//   released   = acquired + adopted - in use
#pragma once

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

struct PoolFigures {
  std::uint64_t acquired = 0;
  std::uint64_t misses = 0;
  std::uint64_t adopted = 0;
  std::uint64_t released = 0;
  std::uint64_t attached = 0;
  std::uint64_t in_use = 0;
  std::uint64_t refills = 0;
  std::uint64_t stolen = 0;
  std::uint64_t grown = 0;
  std::uint64_t waits = 0;
};

// For whoever settles the slot, and onlookers.
PoolFigures load_figures(const PoolCore& core, std::uint32_t slot) noexcept;

// Adds a user's figures to those of the departed; once, however often it is repeated. Under the pool's lock.
void add_to_departed(PoolCore& core, std::uint32_t slot) noexcept;

// --- For the owner, who is the only one that writes these words.

inline void count_figure(layout::Word& figure, std::uint64_t more = 1) noexcept {
  figure.store(figure.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}
// The owner has so many more, or fewer: past the magazine.
void change_has(layout::PoolSlot& slot, std::int64_t more) noexcept;
// The same together with the magazine: one store decides for both.
void change_magazine(layout::PoolSlot& slot, std::uint32_t number, const Magazine& magazine, layout::MagazineState next,
                     std::int64_t more) noexcept;

}  // namespace SAPBUF_DETAIL
