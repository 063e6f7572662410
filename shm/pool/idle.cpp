#include "pool/idle.hpp"

#include <algorithm>
#include <array>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/fence.hpp"
#include "pool/chunks.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferWord;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint32_t kEnough = layout::kMagazine;  // buffers
constexpr std::size_t kMostVisits = 64;

struct Visit {
  std::uint32_t slot;
  std::uint64_t attention;  // what the visit made of it
};

struct Visits {
  std::array<Visit, kMostVisits> all;
  std::size_t count = 0;

  std::span<const Visit> made() const noexcept { return {all.data(), count}; }
};

std::uint32_t count_idle(const PoolCore& core, std::uint32_t slot) noexcept {
  std::uint32_t count = 0;
  for_each_idle(core, slot, [&](std::uint32_t) { ++count; });
  return count;
}

// Step 1.
Visits announce(const PoolCore& core, std::uint32_t first) noexcept {
  Visits visits;
  std::uint32_t promised = 0;
  const std::uint32_t high = core.segment().high_slot();
  for (std::uint32_t i = 0; i < high && promised < kEnough && visits.count < kMostVisits; ++i) {
    const std::uint32_t index = (first + i) % high;
    const std::uint32_t idle = count_idle(core, index);
    if (idle == 0 || !core.registration_of(index).in_use()) continue;
    promised += idle;
    visits.all[visits.count++] = {index, core.slot(index).attention.fetch_add(1, std::memory_order_acq_rel) + 1};
  }
  return visits;
}

// Steps 3 to 5, of one magazine.
std::uint32_t take_from(PoolCore& core, const Visit& visit, const Magazine& magazine) noexcept {
  const layout::PoolSlot& slot = core.slot(visit.slot);
  struct {
    std::uint32_t buffer;
    BufferWord seen;
  } idle[layout::kMagazine];
  std::size_t count = 0;
  // pool-free: acquire.
  const std::uint32_t depth = magazine.depth(std::memory_order_acquire);
  const std::uint32_t there = core.count();
  for (std::uint32_t i = 0; i < depth; ++i) {
    const std::uint32_t buffer = magazine.buffers[i].load(std::memory_order_acquire);  // pool-free
    if (buffer >= there) continue;
    // magazine-look: acquire, so that who sees a word that the owner changed when it looked up also sees that it did.
    const BufferWord seen{core.word(buffer).load(std::memory_order_acquire)};
    if (seen.is_local_of(visit.slot)) idle[count++] = {buffer, seen};
  }
  if (count == 0) return 0;
  if (slot.acknowledged.load(std::memory_order_acquire) >= visit.attention) return 0;  // it gives them back by itself
  SAPBUF_KILL_POINT(idle_seen);
  std::uint32_t taken = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t seen = idle[i].seen.word;
    layout::Word& word = core.word(idle[i].buffer);
    core.note_back(1);
    if (!word.compare_exchange_strong(seen, idle[i].seen.freed().word, std::memory_order_acq_rel, relaxed)) {
      core.note_out(1);
      continue;
    }
    SAPBUF_KILL_POINT(idle_taken);
    note_free(core, idle[i].buffer);
    ++taken;
  }
  return taken;
}

}  // namespace

TakenIdle take_idle(PoolCore& core, std::uint32_t first) noexcept {
  const Visits visits = announce(core, first);
  if (visits.count == 0) return {};
  SAPBUF_KILL_POINT(idle_announced);
  if (!platform::heavy_fence(core.full_fences())) return {};
  TakenIdle all;
  for (const Visit& visit : visits.made()) {
    std::uint32_t taken = 0;
    for (std::uint32_t number = 0; number < core.magazines(); ++number) {
      taken += take_from(core, visit, core.magazine(visit.slot, number));
    }
    all.count += taken;
    all.may_be_more |= taken == 0;
  }
  return all;
}

}  // namespace SAPBUF_DETAIL
