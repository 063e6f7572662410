#include "pool/scan.hpp"

#include <vector>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/fence.hpp"
#include "pool/chunks.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

// A bit for each buffer that has a root: one of the users', or of other facilities. Of all slots ever used, whoever has
// them now: a root that is stale keeps nothing, for no buffer has that incarnation. Nothing if somebody else may have
// roots that cannot be told from here.
//
// A buffer that was seen to be dying has that incarnation, or a later one, whenever its word is read again: so a root
// that keeps it is not taken for a stale one.
std::optional<std::vector<bool>> find_rooted(const PoolCore& core) {
  // Listed anew each time. A facility that is made behind this look gets no root that the scan must see: whoever moves
  // one there looks at the word behind it, and finds `dying`.
  const auto facilities = all_facilities(core.segment());
  if (!facilities) return std::nullopt;
  std::vector<std::uint64_t> others;
  for (const auto& facility : *facilities) facility->collect_roots(core.id(), others);
  std::vector<bool> rooted(core.count());
  const auto mark = [&](Root root) {
    if (root.is_none() || root.index() >= rooted.size()) return;
    const BufferWord seen{core.word(root.index()).load(std::memory_order_acquire)};
    if (seen.incarnation() == root.incarnation()) rooted[root.index()] = true;
  };
  for (const std::uint64_t word : others) mark(Root{word});
  SAPBUF_KILL_POINT(scan_asked);
  const std::uint32_t high = core.segment().high_slot();
  for (std::uint32_t slot = 0; slot < high; ++slot) {
    for (const layout::Word& word : core.slot(slot).roots) {
      // pool-free: acquire, so that the last use of a buffer whose root is gone is behind us.
      mark(Root{word.load(std::memory_order_acquire)});
    }
  }
  return rooted;
}

// One that came behind the look is left to the next scan.
bool is_rooted(const std::vector<bool>& rooted, std::uint32_t buffer) noexcept {
  return buffer >= rooted.size() || rooted[buffer];
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
  const auto rooted = find_rooted(core);
  if (!rooted) return dying;
  SAPBUF_KILL_POINT(scan_looked);
  for_each_chunk(core, [&](std::uint32_t chunk, layout::ChunkWord its) {
    for_each_buffer(core, chunk, its, [&](std::uint32_t buffer) {
      layout::Word& word = core.word(buffer);
      const BufferWord seen{word.load(std::memory_order_acquire)};
      if (seen.state() == BufferState::dying) {
        dying.push_back(buffer);
      } else if (seen.state() == BufferState::shared && !is_rooted(*rooted, buffer)) {
        if (move(word, seen, with_state(seen, BufferState::dying))) dying.push_back(buffer);
      }
    });
  });
  return dying;
}

}  // namespace

bool any_shared(const PoolCore& core) noexcept {
  bool any = false;
  for_each_chunk(core, [&](std::uint32_t chunk, layout::ChunkWord its) {
    for_each_buffer(core, chunk, its, [&](std::uint32_t buffer) {
      any = any || BufferWord{core.word(buffer).load(std::memory_order_relaxed)}.is_shared();
    });
  });
  return any;
}

std::uint32_t free_unrooted(PoolCore& core) {
  const std::vector<std::uint32_t> dying = find_dying(core);
  if (dying.empty()) return 0;
  SAPBUF_KILL_POINT(scan_dying);
  // Without it a root may stand in a store buffer, unseen: then nothing is freed, and whoever can make the fence does
  // it.
  if (!platform::heavy_fence(core.full_fences())) return 0;
  SAPBUF_KILL_POINT(scan_fenced);
  const auto rooted = find_rooted(core);
  if (!rooted) return 0;
  std::uint32_t freed = 0;
  for (const std::uint32_t buffer : dying) {
    layout::Word& word = core.word(buffer);
    const BufferWord seen{word.load(std::memory_order_acquire)};
    if (seen.state() != BufferState::dying) continue;  // somebody adopted it
    if (is_rooted(*rooted, buffer)) {
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

}  // namespace SAPBUF_DETAIL
