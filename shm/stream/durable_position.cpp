#include "stream/durable_position.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/speculative_reads.hpp"
#include "stream/extents.hpp"
#include "stream/frames.hpp"
#include "stream/reader_progress.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

layout::Word& generation_of(StreamCore& core, std::uint32_t index, std::uint32_t slab) noexcept {
  return core.durable_word(index, slab, 0);
}

layout::Word& place_of(StreamCore& core, std::uint32_t index, std::uint32_t slab, std::uint64_t granule) noexcept {
  return core.durable_word(index, slab, layout::kDurableTableHead + granule);
}

// Offset in the slab up to which what begins at `begin` and ends at `end` was read; nothing if the word makes no sense.
std::optional<std::uint64_t> read_up_to(std::uint64_t word, std::uint64_t begin, std::uint64_t end) noexcept {
  if (word == 0) return begin;
  if (word < begin || word > end || word % layout::kUnitBytes != 0) return std::nullopt;
  return word;
}

}  // namespace

void DurablePosition::enter(const Window& window) noexcept {
  layout::Word& generation = generation_of(core_, index_, window.slab);
  if (generation.load(relaxed) == window.generation) return;
  for (std::uint64_t granule = 0; granule < core_.geometry().durable_places(); ++granule) {
    place_of(core_, index_, window.slab, granule).store(0, relaxed);
  }
  SAPBUF_KILL_POINT(durable_cleared);
  // durable: release, so that onlookers take no older word for one of this generation.
  generation.store(window.generation, std::memory_order_release);
}

bool DurablePosition::resume(Window& window, Place& place) noexcept {
  const std::byte* const slab = core_.slab_for_reading(window.slab);
  const auto begin = static_cast<std::uint64_t>(place.at - slab);
  const auto end = static_cast<std::uint64_t>(place.end - slab);
  const auto there = read_up_to(word_of(window.slab, place).load(relaxed), begin, end);
  if (!there) return false;
  const Unwritten unwritten = core_.in_total_order() ? Unwritten::is_hole : Unwritten::is_end;
  window.passed += count_messages(place.at, *there - begin, unwritten);
  place.at = slab + *there;
  return true;
}

void DurablePosition::store(const Window& window) noexcept {
  const std::byte* const slab = core_.slab_for_reading(window.slab);
  for (const Place& place : window.places) {
    word_of(window.slab, place).store(static_cast<std::uint64_t>(place.at - slab), relaxed);
  }
  SAPBUF_KILL_POINT(durable_stored);
}

void DurablePosition::store_passed(std::optional<std::uint64_t> messages) noexcept {
  core_.durable_reader(index_).passed.store(messages ? *messages + 1 : 0, relaxed);
}

std::optional<std::uint64_t> DurablePosition::passed() const noexcept {
  const std::uint64_t word = core_.durable_reader(index_).passed.load(relaxed);
  return word == 0 ? std::nullopt : std::optional{word - 1};
}

layout::Word& DurablePosition::word_of(std::uint32_t slab, const Place& place) noexcept {
  return place_of(core_, index_, slab, core_.in_total_order() ? 0 : place.extent);
}

Passed count_behind(StreamCore& core, std::uint32_t index) {
  const platform::SpeculativeReads speculative;
  const bool total = core.in_total_order();
  const ActiveSlab active = load_active(core);
  const std::uint64_t from = core.durable_reader(index).hold.load(std::memory_order_acquire);
  Passed behind;
  for_each_readable(core, [&](SlabGeneration where) {
    if (where.generation < from) return;
    const std::byte* const slab = core.slab_for_reading(where.slab);
    // durable: acquire, so that the words are this generation's.
    const bool is_entered = generation_of(core, index, where.slab).load(std::memory_order_acquire) == where.generation;
    const std::uint64_t claimed = claimed_bytes(core, active, where);
    const auto count = [&](std::uint64_t granule, std::uint64_t begin, std::uint64_t end) {
      const std::uint64_t word = is_entered ? place_of(core, index, where.slab, granule).load(relaxed) : 0;
      const std::uint64_t there = read_up_to(word, begin, end).value_or(begin);
      behind += count_messages(slab + there, end - there, total ? Unwritten::is_hole : Unwritten::is_end);
    };
    if (total) return count(0, 0, claimed);
    for_each_extent(core, where, claimed, [&](std::uint64_t granule, layout::Extent extent, std::uint64_t granules) {
      const std::uint64_t bytes = core.geometry().granule_bytes;
      if (extent.begins()) count(granule, granule * bytes, (granule + granules) * bytes);
    });
  });
  return behind;
}

}  // namespace SAPBUF_DETAIL
