// References: sharing a buffer, and adopting one. See pool/scan.hpp.
#include <sapbuf/detail/kill_point.hpp>

#include "pool/figures.hpp"
#include "pool/hand_over.hpp"
#include "pool/pool_user.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

// Releases on other threads clear roots, and tell nobody which.
std::uint32_t PoolUserState::take_root() noexcept {
  if (free_root_count_ == 0) {
    count_elsewhere();
    for (std::uint32_t root = layout::kRoots; root > 0; --root) {
      if (slot->roots[root - 1].load(relaxed) == 0) free_roots_[free_root_count_++] = root - 1;
    }
  }
  return free_root_count_ == 0 ? kNoRoot : free_roots_[--free_root_count_];
}

BufferReference PoolUserState::share(std::uint32_t buffer, std::uint32_t& root) noexcept {
  if (why_not() != Status::ok) return {};
  note_thread();
  layout::Word& word = core_->word(buffer);
  const std::uint32_t incarnation = BufferWord{word.load(relaxed)}.incarnation();  // nobody changes it meanwhile
  if (root == kNoRoot) {
    const std::uint32_t place = take_root();
    if (place == kNoRoot) return {};
    slot->roots[place].store(Root::make(buffer, incarnation).word, relaxed);
    SAPBUF_KILL_POINT(pool_rooted);
    core_->since(buffer).store(core_->now_ms(), relaxed);
    // pool-share: release, so that who adopts it sees what stands in it, and scans see the root before the word.
    word.store(BufferWord::make(incarnation, BufferState::shared).word, std::memory_order_release);
    SAPBUF_KILL_POINT(pool_shared);
    root = place;
    --owned_;
    ++shared_;
  }
  if (core_->segment().truncated()) return {};  // by now: what was read there are zeros
  return {where_, buffer, incarnation};
}

Buffer PoolUserState::adopt(const BufferReference& reference) noexcept {
  if (is_wanted()) [[unlikely]] {
    if (const Status status = why_not(); status != Status::ok) return Buffer{status};
    look_up();
  }
  thread.store(this_thread_mark(), relaxed);
  if (reference.where != where_) return Buffer{Status::stale};
  if (reference.index >= count) {
    update_hot();
    // One that this process has no addresses for is there all the same.
    if (reference.index >= count) return Buffer{reference.index < core_->there() ? Status::exhausted : Status::stale};
  }
  if (budget_ != kNoBudget) {
    count_elsewhere();
    if (held() >= budget_) return Buffer{Status::over_budget};
  }
  const std::uint32_t place = take_root();
  if (place == kNoRoot) return Buffer{Status::over_budget};
  layout::Word& root = slot->roots[place];
  root.store(Root::make(reference.index, reference.incarnation).word, relaxed);
  SAPBUF_KILL_POINT(pool_adopting);
  light_fence();  // root: before the look; the scan makes the heavy one
  if (!is_kept_by_root(core_->word(reference.index), reference.incarnation)) {
    root.store(0, std::memory_order_release);
    free_roots_[free_root_count_++] = place;
    return Buffer{Status::stale};
  }
  count_figure(slot->adopted);
  change_has(*slot, 1);
  ++shared_;
  if (budget_ != kNoBudget) update_hot();
  const std::uint64_t bytes = core_->buffer_bytes(reference.index);
  Buffer adopted{*this, reference.index, place, bytes};
  // One of several pieces may begin where this process has addresses, and end where it has none.
  if (has_classes && !core_->reaches(reference.index * stride_bytes + bytes)) return Buffer{Status::exhausted};
  return adopted;
}

}  // namespace SAPBUF_DETAIL
