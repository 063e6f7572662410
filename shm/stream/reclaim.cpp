#include "stream/reclaim.hpp"

#include <algorithm>
#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/zero.hpp"
#include "segment/registry.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/close.hpp"
#include "stream/durable_readers.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::SlabLife;
using layout::SlabState;

constexpr auto relaxed = std::memory_order_relaxed;

template <typename Test>
bool any_reader(StreamCore& core, Test test) noexcept {
  return any_participant(core, [&](std::uint32_t slot, layout::SlotRegistration registration) {
    return registration.role() == layout::SlotRole::reader && test(core.slot(slot));
  });
}

bool is_pinned(StreamCore& core, std::uint32_t slab) noexcept {
  return any_reader(core, [&](const layout::StreamSlot& reader) {
    return (reader.pins.load(std::memory_order_seq_cst) >> slab & 1) != 0;
  });
}

// SegmentOptions::retain: what stands there is kept for the first reader. It holds what it needs before it says that it
// has come, and both under the maintenance lock; those who look without it may see it late, and look again.
bool awaits_first_reader(StreamCore& core) noexcept {
  return core.geometry().retain && core.control().reader_came.load(std::memory_order_acquire) == 0;
}

// Per-writer order: zeroes a slab's extent table, which readers have in their caches. A reader of an `overwrite` stream
// may be looking at it still, and finds out that the slab is not its own any more.
void clear_table(StreamCore& core, std::uint32_t slab) noexcept {
  layout::Word* const words = &core.extent(slab, 0);
  const std::uint64_t count = core.geometry().granules_per_slab();
#if defined(__SANITIZE_THREAD__)
  for (std::uint64_t i = 0; i < count; ++i) words[i].store(0, relaxed);
#else
  platform::zero(reinterpret_cast<std::byte*>(words), count * sizeof(layout::Word));
#endif
}

// Total order: zeroes a slab a little further; whether it is clean now. All of it becomes zero: behind the limit stands
// a NOP, and a claimer that ran over the end may have been killed with half its work done.
bool clean_frames(StreamCore& core, std::uint32_t slab) {
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  layout::Word& cleaned = core.descriptor(slab).cleaned_bytes;
  const std::uint64_t begin = std::min(cleaned.load(relaxed), slab_bytes);
  const std::uint64_t bytes = std::min(kCleanAtOnce, slab_bytes - begin);
  std::memset(core.slab_for_writing(slab) + begin, 0, bytes);
  SAPBUF_KILL_POINT(reclaim_zeroed);
  // Release, so that who dies here does not leave a step that counts and was not made.
  cleaned.store(begin + bytes, std::memory_order_release);
  if (begin + bytes == slab_bytes) return true;
  SAPBUF_KILL_POINT(reclaim_stepped);
  return false;
}

// Makes a slab that nobody may read any more ready for the next generation, or takes a step towards it: whether it is
// free now.
//   killed in between: it still says `cleaning`, and the next one repeats the step
bool clean(StreamCore& core, std::uint32_t slab) {
  let_go_of_all_attached(core, slab);
  if (!core.in_total_order()) {
    clear_table(core, slab);
  } else if (!clean_frames(core, slab)) {
    return false;
  }
  SAPBUF_KILL_POINT(reclaim_cleaned);
  layout::Word& life = core.descriptor(slab).life;
  life.store(SlabLife::make(SlabLife{life.load(relaxed)}.generation(), SlabState::free).word,
             std::memory_order_release);
  return true;
}

// Begins to clean a closed slab that no reader holds. False if a pin is in the way.
//   pin: the state is stored, then pins are read; a reader stores its pin, then reads the state. One of the two sees
//   the other. killed while `reclaiming`: the next one says `sealed` again.  while `cleaning`: the decision stands
bool reclaim(StreamCore& core, SlabGeneration where) {
  layout::Word& life = core.descriptor(where.slab).life;
  life.store(SlabLife::make(where.generation, SlabState::reclaiming).word, std::memory_order_seq_cst);
  SAPBUF_KILL_POINT(reclaim_announced);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (is_pinned(core, where.slab)) {
    life.store(SlabLife::make(where.generation, SlabState::sealed).word, std::memory_order_release);
    return false;
  }
  core.descriptor(where.slab).cleaned_bytes.store(0, relaxed);
  life.store(SlabLife::make(where.generation, SlabState::cleaning).word, std::memory_order_release);
  SAPBUF_KILL_POINT(reclaim_cleaning);
  return true;
}

std::optional<std::uint32_t> find_in_state(StreamCore& core, SlabState state) noexcept {
  return first_slab(core, [state](SlabLife life) { return life.state() == state; });
}

// Begins to clean the oldest slab that can be reclaimed, of generations up to `last`.
std::optional<std::uint32_t> reclaim_oldest(StreamCore& core, const ActiveSlab& active,
                                            std::uint64_t last = ~std::uint64_t{0}) {
  close_ended(core, active);
  if (awaits_first_reader(core)) return std::nullopt;
  const std::uint64_t closed = core.control().closed_through.load(relaxed);
  std::uint64_t from = 1;
  for (std::uint32_t step = 0; step < core.geometry().slabs; ++step) {
    const auto oldest = find_oldest(core, from);
    if (!oldest || oldest->generation > std::min(closed, last) || oldest->generation >= active.generation) {
      return std::nullopt;
    }
    // Lossless readers keep everything from their position on: if one holds this generation, it holds all later ones.
    if (is_held(core, oldest->generation)) return std::nullopt;
    if (reclaim(core, *oldest)) return oldest->slab;
    from = oldest->generation + 1;
  }
  return std::nullopt;
}

// Whether reclaim_oldest() would find one: without the lock, and as far as generations are closed already.
bool is_any_reclaimable(StreamCore& core, std::uint64_t newest) noexcept {
  const std::uint64_t closed = core.control().closed_through.load(relaxed);
  std::uint64_t from = 1;
  for (std::uint32_t step = 0; step < core.geometry().slabs; ++step) {
    const auto oldest = find_oldest(core, from);
    if (!oldest || oldest->generation > closed || oldest->generation >= newest) return false;
    if (is_held(core, oldest->generation)) return false;
    if (!is_pinned(core, oldest->slab)) return true;
    from = oldest->generation + 1;
  }
  return false;
}

// A slab that is to be cleaned: one that somebody began with, or the oldest that can be reclaimed.
std::optional<std::uint32_t> find_to_clean(StreamCore& core, const ActiveSlab& active) {
  if (const auto slab = find_in_state(core, SlabState::cleaning)) return slab;
  return reclaim_oldest(core, active);
}

}  // namespace

bool is_held(StreamCore& core, std::uint64_t generation) noexcept {
  // hold-release: acquire, so that what the reader read is behind us when its hold has moved on.
  return keeps_durably(core, generation) || any_reader(core, [&](const layout::StreamSlot& reader) {
           return reader.hold.load(std::memory_order_acquire) <= generation;
         });
}

std::optional<std::uint32_t> take_free_slab(StreamCore& core, const ActiveSlab& active, bool& cleaning) {
  if (const auto slab = find_in_state(core, SlabState::free)) return slab;
  const auto slab = find_to_clean(core, active);
  if (!slab) return std::nullopt;
  cleaning = !clean(core, *slab);
  return cleaning ? std::nullopt : slab;
}

// Older slabs go first, whether or not they have any: a lossless reader that attaches must not find a gap.
bool reclaim_attached(StreamCore& core, const ActiveSlab& active, layout::FacilityId pool) {
  const auto clean_one = [&](std::uint32_t slab) {
    const bool had_some = has_attached(core, slab, pool);
    clean(core, slab);
    return had_some;
  };
  std::uint64_t last = 0;
  for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
    const SlabLife life{core.descriptor(slab).life.load(relaxed)};
    if (!has_attached(core, slab, pool)) continue;
    if (life.state() == SlabState::cleaning) return clean_one(slab);
    if (life.state() == SlabState::sealed) last = std::max(last, life.generation());
  }
  while (const auto slab = reclaim_oldest(core, active, last)) {
    if (clean_one(*slab)) return true;
  }
  return false;
}

bool have_readers_come_to(StreamCore& core, std::uint64_t generation) noexcept {
  return !awaits_first_reader(core) && !is_held(core, generation - 1);
}

bool may_have_free_slab(StreamCore& core) noexcept {
  std::uint64_t newest = 0;
  bool all_readable = true;
  for_each_slab(core, [&](std::uint32_t, SlabLife life) {
    all_readable = all_readable && life.readable();
    newest = std::max(newest, life.generation());
  });
  if (!all_readable) return true;
  return !awaits_first_reader(core) && is_any_reclaimable(core, newest);
}

bool is_kept_in_silence(StreamCore& core) noexcept {
  if (awaits_first_reader(core)) return false;
  const auto oldest = find_oldest(core, 1);
  return oldest && !is_held(core, oldest->generation);
}

}  // namespace SAPBUF_DETAIL
