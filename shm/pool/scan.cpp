#include "pool/scan.hpp"

#include <algorithm>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/fence.hpp"
#include "pool/chunks.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

template <typename Visit>
void for_each_root_of_users(const PoolCore& core, Visit visit) {
  const std::uint32_t high = core.segment().high_slot();
  for (std::uint32_t slot = 0; slot < high; ++slot) {
    for (const layout::Word& word : core.slot(slot).roots) {
      // pool-free: acquire, so that the last use of a buffer whose root is gone is behind us.
      const Root root{word.load(std::memory_order_acquire)};
      if (!root.is_none()) visit(root);
    }
  }
}

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
  for_each_root_of_users(core, mark);
  return rooted;
}

// One that came behind the look is left to the next scan.
bool is_rooted(const std::vector<bool>& rooted, std::uint32_t buffer) noexcept {
  return buffer >= rooted.size() || rooted[buffer];
}

bool move(layout::Word& word, BufferWord from, BufferWord to) noexcept {
  return word.compare_exchange_strong(from.word, to.word, std::memory_order_acq_rel, std::memory_order_acquire);
}

BufferWord shared(BufferWord seen) noexcept { return BufferWord::make(seen.incarnation(), BufferState::shared); }

BufferWord dying(BufferWord seen) noexcept { return BufferWord::dying(seen.incarnation(), BufferWord::kScan); }

// Step 1. Returns what says `dying` now in the name of scans, also what one left that was killed.
std::vector<std::uint32_t> find_dying(PoolCore& core) {
  std::vector<std::uint32_t> found;
  const auto rooted = find_rooted(core);
  if (!rooted) return found;
  SAPBUF_KILL_POINT(scan_looked);
  for_each_chunk(core, [&](std::uint32_t chunk, layout::ChunkWord its) {
    for_each_buffer(core, chunk, its, [&](std::uint32_t buffer) {
      layout::Word& word = core.word(buffer);
      const BufferWord seen{word.load(std::memory_order_acquire)};
      if (!seen.is_shared() || (seen.state() == BufferState::shared && is_rooted(*rooted, buffer))) return;
      if (seen.word == dying(seen).word || move(word, seen, dying(seen))) found.push_back(buffer);
    });
  });
  return found;
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
  const std::vector<std::uint32_t> found = find_dying(core);
  if (found.empty()) return 0;
  SAPBUF_KILL_POINT(scan_dying);
  // Without it a root may stand in a store buffer, unseen: then nothing is freed, and whoever can make the fence does
  // it.
  if (!platform::heavy_fence(core.full_fences())) return 0;
  SAPBUF_KILL_POINT(scan_fenced);
  const auto rooted = find_rooted(core);
  if (!rooted) return 0;
  core.note_back(found.size());
  std::uint32_t freed = 0;
  for (const std::uint32_t buffer : found) {
    layout::Word& word = core.word(buffer);
    const BufferWord seen{word.load(std::memory_order_acquire)};
    if (seen.word != dying(seen).word) continue;  // somebody adopted it
    if (is_rooted(*rooted, buffer)) {
      move(word, seen, shared(seen));
      continue;
    }
    if (!move(word, seen, seen.freed())) continue;
    ++freed;
    SAPBUF_KILL_POINT(scan_freed);
    note_free(core, buffer);
  }
  if (freed != found.size()) core.note_out(found.size() - freed);
  return freed;
}

void keep_unkept(PoolCore& core, std::uint32_t owner, std::vector<Root>& roots,
                 const std::function<void(std::vector<std::uint64_t>&)>& collect) {
  const auto dying_here = [&](Root root) { return BufferWord::dying(root.incarnation(), owner); };
  const auto is_dying = [&](Root root) {
    const BufferWord kept = BufferWord::make(root.incarnation(), BufferState::shared);
    return move(core.word(root.index()), kept, dying_here(root));
  };
  roots.erase(std::remove_if(roots.begin(), roots.end(), [&](Root root) { return !is_dying(root); }), roots.end());
  if (roots.empty()) return;
  SAPBUF_KILL_POINT(unkept_dying);
  if (!platform::heavy_fence(core.full_fences())) return roots.clear();  // as for a scan
  SAPBUF_KILL_POINT(unkept_fenced);
  std::vector<std::uint64_t> kept;
  collect(kept);
  for_each_root_of_users(core, [&](Root root) { kept.push_back(root.word); });
  std::sort(kept.begin(), kept.end());
  const auto is_kept = [&](Root root) {
    if (!std::binary_search(kept.begin(), kept.end(), root.word)) return false;
    move(core.word(root.index()), dying_here(root), shared(dying_here(root)));
    return true;
  };
  roots.erase(std::remove_if(roots.begin(), roots.end(), is_kept), roots.end());
}

}  // namespace SAPBUF_DETAIL
