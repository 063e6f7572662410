#include "pool/hand_over.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "pool/figures.hpp"
#include "pool/pool_user.hpp"

namespace sapbuf::detail {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;

bool is_kept_by_root(layout::Word& word, std::uint32_t incarnation) noexcept {
  for (;;) {
    // pool-share: acquire.
    BufferWord seen{word.load(std::memory_order_acquire)};
    if (seen.incarnation() != incarnation) return false;
    if (seen.state() != BufferState::dying) return seen.state() == BufferState::shared;
    const BufferWord shared = BufferWord::make(incarnation, BufferState::shared);
    if (word.compare_exchange_strong(seen.word, shared.word, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return true;
    }
  }
}

const PoolCore* PoolUserState::home_of(const Buffer& buffer, Status& status) noexcept {
  status = buffer.status_;
  if (buffer.user_ == nullptr) return nullptr;
  auto& user = static_cast<PoolUserState&>(*buffer.user_);
  status = user.why_not();
  return status == Status::ok ? user.core_.get() : nullptr;
}

Status PoolUserState::hand_over(Buffer& buffer, layout::Word& root) noexcept {
  auto& user = static_cast<PoolUserState&>(*buffer.user_);
  const bool is_shared = buffer.root_ != kNoRoot;
  layout::Word& word = user.core_->word(buffer.index_);
  const std::uint32_t incarnation = BufferWord{word.load(relaxed)}.incarnation();  // nobody changes it meanwhile
  root.store(Root::make(buffer.index_, incarnation).word, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_rooted_elsewhere);
  if (!is_shared) {
    user.core_->since(buffer.index_).store(user.core_->now_ms(), relaxed);
    // pool-share: release, so that who adopts it sees what stands in it, and scans see the root before the word.
    word.store(BufferWord::make(incarnation, BufferState::shared).word, std::memory_order_release);
  } else {
    user.light_fence();  // root: before the look; the scan makes the heavy one
    if (!is_kept_by_root(word, incarnation)) {
      root.store(0, std::memory_order_release);
      return Status::stale;
    }
    SAPBUF_KILL_POINT(pool_rooted_twice);
    user.slot->roots[buffer.root_].store(0, std::memory_order_release);
  }
  SAPBUF_KILL_POINT(pool_handed_over);
  const std::uint32_t own_root = buffer.root_;
  buffer.user_ = nullptr;
  buffer.bytes_ = {};
  buffer.status_ = Status::closed;
  count_figure(user.slot->attached);
  user.has_no_more(own_root);
  return Status::ok;
}

const PoolCore* find_pool_of(const Buffer& buffer, const SegmentCore& segment, Status& status) noexcept {
  const PoolCore* const pool = PoolUserState::home_of(buffer, status);
  if (pool == nullptr || pool->segment().creation_id() == segment.creation_id()) return pool;
  status = Status::other_segment;
  return nullptr;
}

Status root_elsewhere(Buffer& buffer, layout::Word& root) noexcept { return PoolUserState::hand_over(buffer, root); }

}  // namespace sapbuf::detail
