#include "pool/scan.hpp"

#include <algorithm>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/fence.hpp"
#include "pool/chunks.hpp"

namespace sapbuf::detail {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

// All roots that there are, sorted: the users', and those of other facilities. Of all slots ever used, whoever has them
// now: a root that is stale keeps nothing, for no buffer has that incarnation. Nothing if somebody else may have roots
// that cannot be told from here.
std::optional<std::vector<std::uint64_t>> all_roots(const PoolCore& core) {
  // Listed anew each time. A facility that is made behind this look gets no root that the scan must see: whoever moves
  // one there looks at the word behind it, and finds `dying`.
  const auto facilities = all_facilities(core.segment());
  if (!facilities) return std::nullopt;
  std::vector<std::uint64_t> roots;
  for (const auto& facility : *facilities) facility->collect_roots(core.id(), roots);
  SAPBUF_KILL_POINT(scan_asked);
  const std::uint32_t high = core.segment().high_slot();
  for (std::uint32_t slot = 0; slot < high; ++slot) {
    for (const layout::Word& word : core.slot(slot).roots) {
      // pool-free: acquire, so that the last use of a buffer whose root is gone is behind us.
      const Root root{word.load(std::memory_order_acquire)};
      if (!root.is_none()) roots.push_back(root.word);
    }
  }
  std::sort(roots.begin(), roots.end());
  return roots;
}

bool is_rooted(const std::vector<std::uint64_t>& roots, std::uint32_t buffer, BufferWord seen) noexcept {
  return std::binary_search(roots.begin(), roots.end(), Root::make(buffer, seen.incarnation()).word);
}

bool move(layout::Word& word, BufferWord from, BufferWord to) noexcept {
  return word.compare_exchange_strong(from.word, to.word, std::memory_order_acq_rel, std::memory_order_acquire);
}

BufferWord with_state(BufferWord seen, BufferState state) noexcept {
  return BufferWord::make(seen.incarnation(), state);
}

// Step 1. Returns what says `dying` now, also what a scan left that was killed.
std::vector<std::uint32_t> find_dying(PoolCore& core) {
  std::vector<std::uint32_t> dying;
  const auto roots = all_roots(core);
  if (!roots) return dying;
  SAPBUF_KILL_POINT(scan_looked);
  const std::uint32_t there = core.count();
  for (std::uint32_t buffer = 0; buffer < there; ++buffer) {
    layout::Word& word = core.word(buffer);
    const BufferWord seen{word.load(std::memory_order_acquire)};
    if (seen.state() == BufferState::dying) {
      dying.push_back(buffer);
    } else if (seen.state() == BufferState::shared && !is_rooted(*roots, buffer, seen)) {
      if (move(word, seen, with_state(seen, BufferState::dying))) dying.push_back(buffer);
    }
  }
  return dying;
}

}  // namespace

std::uint32_t free_unrooted(PoolCore& core) {
  const std::vector<std::uint32_t> dying = find_dying(core);
  if (dying.empty()) return 0;
  SAPBUF_KILL_POINT(scan_dying);
  // Without it a root may stand in a store buffer, unseen: then nothing is freed, and whoever can make the fence does it.
  if (!platform::heavy_fence(core.full_fences())) return 0;
  SAPBUF_KILL_POINT(scan_fenced);
  const auto roots = all_roots(core);
  if (!roots) return 0;
  std::uint32_t freed = 0;
  for (const std::uint32_t buffer : dying) {
    layout::Word& word = core.word(buffer);
    const BufferWord seen{word.load(std::memory_order_acquire)};
    if (seen.state() != BufferState::dying) continue;  // somebody adopted it
    if (is_rooted(*roots, buffer, seen)) {
      move(word, seen, with_state(seen, BufferState::shared));
      continue;
    }
    core.note_back(1);
    if (!move(word, seen, seen.freed())) {
      core.note_out(1);
      continue;
    }
    ++freed;
    SAPBUF_KILL_POINT(scan_freed);
    note_free(core, buffer);
  }
  return freed;
}

}  // namespace sapbuf::detail
