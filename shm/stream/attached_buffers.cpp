#include "stream/attached_buffers.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/hand_over.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::AttachedBuffer;
using layout::AttachedLink;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;

// Entries that are claimed, as far as that can be true.
std::uint32_t count_attached(StreamCore& core, std::uint32_t slab) noexcept {
  // root: acquire; a scan that must see a root reads this behind its fence.
  const std::uint64_t count = core.attached(slab).count.load(std::memory_order_acquire);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, core.geometry().attached_places()));
}

// Calls `visit(root)` for what is attached to the slab's messages, and of that pool, until it returns true; whether it
// did.
template <typename Visit>
bool any_root(StreamCore& core, std::uint32_t slab, layout::FacilityId pool, Visit visit) {
  const std::uint32_t last = count_attached(core, slab);
  for (std::uint32_t place = 1; place <= last; ++place) {
    const AttachedBuffer& entry = core.attached(slab, place);
    // attached: acquire, so that the last use of a buffer whose root is gone is behind us; and the link is seen.
    const Root root{entry.root.load(std::memory_order_acquire)};
    if (root.is_none() || AttachedLink{entry.link.load(relaxed)}.pool() != reference_number(pool)) continue;
    if (visit(root)) return true;
  }
  return false;
}

}  // namespace

std::optional<std::uint32_t> claim_attached(StreamCore& core, std::uint32_t slab, bool is_first) noexcept {
  const layout::StreamGeometry& geometry = core.geometry();
  layout::Word& count = core.attached(slab).count;
  const std::uint32_t most = is_first ? geometry.attached_places() : geometry.attachments;
  std::uint64_t seen = count.load(relaxed);
  while (seen < most) {
    // root: before the entry's root, so that who sees that looks as far as there.
    if (count.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, relaxed)) {
      return static_cast<std::uint32_t>(seen + 1);
    }
  }
  return std::nullopt;
}

std::optional<AttachedAt> load_attached(StreamCore& core, std::uint32_t slab, std::uint32_t place) noexcept {
  if (place == 0 || place > count_attached(core, slab)) return std::nullopt;
  const AttachedBuffer& entry = core.attached(slab, place);
  const AttachedAt found{{entry.link.load(relaxed)}, {entry.root.load(relaxed)}};
  const bool leads_back = found.link.next() != 0 && found.link.next() <= place;
  const bool leads_nowhere = found.link.next() == 0 && !found.link.ends_message();
  if (found.root.is_none() || leads_back || leads_nowhere) return std::nullopt;
  return found;
}

void let_go_of_attached(StreamCore& core, std::uint32_t slab, std::uint32_t first) noexcept {
  for (std::uint32_t place = first; place != 0;) {
    const auto found = load_attached(core, slab, place);
    if (!found) return;
    // attached: release, behind what this process did with the buffer.
    core.attached(slab, place).root.store(0, std::memory_order_release);
    place = found->link.next();
  }
}

void let_go_of_all_attached(StreamCore& core, std::uint32_t slab) noexcept {
  const std::uint32_t last = count_attached(core, slab);
  if (core.attached(slab).count.load(relaxed) == 0) return;
  for (std::uint32_t place = 1; place <= last; ++place) {
    AttachedBuffer& entry = core.attached(slab, place);
    entry.root.store(0, std::memory_order_release);
    entry.link.store(0, relaxed);
  }
  SAPBUF_KILL_POINT(reclaim_unrooted);
  core.attached(slab).count.store(0, std::memory_order_release);
}

bool has_attached(StreamCore& core, std::uint32_t slab, layout::FacilityId pool) noexcept {
  return any_root(core, slab, pool, [](Root) { return true; });
}

void StreamCore::collect_roots(layout::FacilityId pool, std::vector<std::uint64_t>& roots) {
  for (std::uint32_t slab = 0; slab < geometry_.slabs; ++slab) {
    any_root(*this, slab, pool, [&roots](Root root) {
      roots.push_back(root.word);
      return false;
    });
  }
}

}  // namespace SAPBUF_DETAIL
