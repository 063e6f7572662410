// What a user of a pool has, and giving it back once the user is dead, or leaves. Under the pool's lock; each step may
// be repeated.
//
//   local, of the dead    nobody else was ever told of it: free; so is what lies in its magazine
//   chunks                behind these: what it had whole is free, and what it had begun with others comes to an end
//   its roots             cleared; a shared buffer that nobody else has a root for is found by the next scan
//   its request           cleared
//   its figures           added to those of the departed, before all this is cleared
#include <algorithm>
#include <limits>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/chunks.hpp"
#include "pool/figures.hpp"
#include "pool/scan.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::ChunkState;
using layout::ChunkWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;

bool is_gone(std::uint32_t slot, std::span<const std::uint32_t> gone) noexcept {
  return std::find(gone.begin(), gone.end(), slot) != gone.end();
}

// What lies in the slot's magazines, sorted: its owner has it at hand, and does not use it.
std::vector<std::uint32_t> at_hand(const PoolCore& core, std::uint32_t slot) {
  std::vector<std::uint32_t> buffers;
  for (std::uint32_t number = 0; number < core.magazines(); ++number) {
    const Magazine magazine = core.magazine(slot, number);
    const std::uint32_t depth = magazine.depth(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < depth; ++i) buffers.push_back(magazine.buffers[i].load(relaxed));
  }
  std::sort(buffers.begin(), buffers.end());
  return buffers;
}

bool contains(const std::vector<std::uint32_t>& sorted, std::uint32_t buffer) noexcept {
  return std::binary_search(sorted.begin(), sorted.end(), buffer);
}

std::uint32_t count_out_of(const PoolCore& core, std::uint32_t chunk, ChunkWord seen) noexcept {
  if (seen.state() == ChunkState::whole) return end_of(core, chunk) - first_buffer_of(chunk);
  std::uint32_t out = 0;
  for_each_buffer(core, chunk, seen, [&](std::uint32_t buffer) {
    if (BufferWord{core.word(buffer).load(std::memory_order_acquire)}.state() != BufferState::free) ++out;
  });
  return out;
}

// Of the user of this slot alone.
std::uint32_t count_of(const PoolCore& core, std::uint32_t chunk, ChunkWord seen, std::uint32_t owner) noexcept {
  if (seen.is_whole_of(owner)) return end_of(core, chunk) - first_buffer_of(chunk);
  std::uint32_t own = 0;
  for_each_buffer(core, chunk, seen, [&](std::uint32_t buffer) {
    if (BufferWord{core.word(buffer).load(relaxed)}.is_local_of(owner)) ++own;
  });
  return own;
}

bool is_rooted_by_others(const PoolCore& core, Root root, std::span<const std::uint32_t> gone) noexcept {
  return any_participant(core, [&](std::uint32_t slot, layout::SlotRegistration) {
    if (is_gone(slot, gone)) return false;
    const auto& roots = core.slot(slot).roots;
    return std::any_of(std::begin(roots), std::end(roots),
                       [&](const layout::Word& word) { return word.load(std::memory_order_acquire) == root.word; });
  });
}

}  // namespace

void PoolCore::find_holdings(std::uint32_t index, std::vector<std::uint64_t>& buffers) {
  const std::uint32_t all = there();
  const std::vector<std::uint32_t> idle = at_hand(*this, index);
  for_each_chunk(*this, [&](std::uint32_t chunk, ChunkWord seen) {
    for_each_buffer(*this, chunk, seen, [&](std::uint32_t buffer) {
      const bool is_local = BufferWord{word(buffer).load(relaxed)}.is_local_of(index);
      if (is_local && !contains(idle, buffer)) buffers.push_back(buffer + 1);
    });
    if (!seen.is_whole_of(index)) return;
    for (std::uint32_t buffer = first_buffer_of(chunk); buffer < end_of(*this, chunk); ++buffer) {
      buffers.push_back(buffer + 1);
    }
  });
  const auto locals = static_cast<std::ptrdiff_t>(buffers.size());  // in order
  for (const layout::Word& word_of_root : slot(index).roots) {
    const Root root{word_of_root.load(relaxed)};
    if (is_live_root(root, all)) buffers.push_back(root.index() + 1);
  }
  std::sort(buffers.begin() + locals, buffers.end());
  std::inplace_merge(buffers.begin(), buffers.begin() + locals, buffers.end());
  buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
}

bool PoolCore::is_live_root(Root root, std::uint32_t there) const noexcept {
  if (root.is_none() || root.index() >= there) return false;
  const BufferWord seen{word(root.index()).load(relaxed)};
  return seen.is_shared() && seen.incarnation() == root.incarnation();
}

std::uint64_t PoolCore::count_repeats(std::uint32_t index) {
  const std::uint32_t all = there();
  std::vector<std::uint64_t> roots;
  for (const layout::Word& word_of_root : slot(index).roots) {
    const Root root{word_of_root.load(relaxed)};
    if (is_live_root(root, all)) roots.push_back(root.word);
  }
  std::sort(roots.begin(), roots.end());
  return static_cast<std::uint64_t>(roots.end() - std::unique(roots.begin(), roots.end()));
}

// A step that is under way makes the words say more than was counted, too, but not for long: the least difference is
// what somebody missed who was killed.
void PoolCore::count_out_anew() noexcept {
  constexpr int kWalks = 3;
  layout::Word& out = control().out;
  std::int64_t missed = std::numeric_limits<std::int64_t>::max();
  for (int walk = 0; walk < kWalks && missed != 0; ++walk) {
    const std::uint64_t before = out.load(std::memory_order_acquire);
    std::uint64_t seen = 0;
    for_each_chunk(*this, [&](std::uint32_t chunk, ChunkWord word) { seen += count_out_of(*this, chunk, word); });
    if (out.load(relaxed) != before) continue;
    missed = std::min(missed, static_cast<std::int64_t>(seen - before));
  }
  if (missed != std::numeric_limits<std::int64_t>::max()) out.fetch_add(static_cast<std::uint64_t>(missed), relaxed);
}

// Whoever has a buffer may be what others wait for.
bool PoolCore::is_in_the_way(std::uint32_t index, layout::SlotRegistration) {
  std::vector<std::uint64_t> buffers;
  find_holdings(index, buffers);
  return !buffers.empty();
}

bool PoolCore::repair(std::uint32_t index, RepairTally& tally) {
  const std::vector<std::uint32_t> idle = at_hand(*this, index);
  const bool died = registration_of(index).state() == layout::SlotState::attached;
  const auto add = [&](std::uint64_t bytes, std::uint64_t buffers) {
    tally.repairs += buffers;
    tally.bytes += bytes * buffers;
  };
  for_each_chunk(*this, [&](std::uint32_t chunk, ChunkWord seen) {
    const std::uint32_t end = end_of(*this, chunk);
    // A chunk at a time, and counted anew behind it; one who leaves has few, and nobody counts behind him.
    if (const std::uint32_t own = died ? count_of(*this, chunk, seen, index) : 0; own != 0) note_back(own);
    for_each_buffer(*this, chunk, seen, [&](std::uint32_t buffer) {
      if (!died && BufferWord{word(buffer).load(relaxed)}.is_local_of(index)) note_back(1);
      if (reclaim(buffer, index) && !contains(idle, buffer)) add(buffer_bytes(buffer), 1);
    });
    if (seen.is_whole_of(index)) {  // it may have words that were about to be kept
      for (std::uint32_t buffer = first_buffer_of(chunk); buffer < end; ++buffer) reclaim(buffer, index);
    }
    if (settle_chunk(*this, chunk, index)) add(geometry_.buffer_bytes, end - first_buffer_of(chunk));
  });
  if (died) count_out_anew();
  return true;
}

bool PoolCore::reclaim(std::uint32_t buffer, std::uint32_t index) noexcept {
  layout::Word& at = word(buffer);
  const BufferWord seen{at.load(std::memory_order_acquire)};
  if (!seen.is_local_of(index)) return false;
  // pool-free: release; the dead one's last use of it is behind the proof of the death.
  at.store(seen.freed().word, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_reclaimed);
  note_free(*this, buffer);
  return true;
}

void PoolCore::release(std::uint32_t index) noexcept {
  add_to_departed(*this, index);
  SAPBUF_KILL_POINT(recover_departed);
  layout::PoolSlot& settled = slot(index);
  for (layout::Word& root : settled.roots) root.store(0, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_unrooted);
  for (std::uint32_t number = 0; number < magazines(); ++number) {
    magazine(index, number).state.store(0, std::memory_order_release);
  }
  settled.request.store(0, std::memory_order_release);
}

std::uint32_t PoolCore::count_released(std::span<const std::uint64_t> buffers, std::span<const std::uint32_t> gone) {
  return static_cast<std::uint32_t>(std::count_if(buffers.begin(), buffers.end(), [&](std::uint64_t buffer) {
    if (buffer == 0 || buffer > geometry_.max_count) return false;
    const auto index = static_cast<std::uint32_t>(buffer - 1);
    const BufferWord seen{word(index).load(std::memory_order_acquire)};
    if (seen.state() == BufferState::free || seen.state() == BufferState::local) return true;
    return !is_rooted_by_others(*this, Root::make(index, seen.incarnation()), gone);
  }));
}

}  // namespace SAPBUF_DETAIL
