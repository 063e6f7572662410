#include "pool/hand_over.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "pool/pool_user.hpp"

namespace sapbuf::detail {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

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
  PoolUserState& user = *buffer.user_;
  if (user.slot_->revoked.load(std::memory_order_relaxed) != 0) {
    status = user.why_revoked();
    return nullptr;
  }
  return user.core_.get();
}

Status PoolUserState::hand_over(Buffer& buffer, layout::Word& root) noexcept {
  PoolUserState& user = *buffer.user_;
  layout::Word& word = user.core_->word(buffer.index_);
  root.store(Root::make(buffer.index_, buffer.incarnation_).word, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_rooted_elsewhere);
  if (buffer.root_ == kNoRoot) {
    // pool-share: release, so that who adopts it sees what stands in it, and scans see the root before the word.
    word.store(BufferWord::make(buffer.incarnation_, BufferState::shared).word, std::memory_order_release);
  } else {
    user.light_fence();  // root: before the look; the scan makes the heavy one
    if (!is_kept_by_root(word, buffer.incarnation_)) {
      root.store(0, std::memory_order_release);
      return Status::stale;
    }
    SAPBUF_KILL_POINT(pool_rooted_twice);
    user.slot_->roots[buffer.root_].store(0, std::memory_order_release);
    user.free_roots_[user.free_root_count_++] = buffer.root_;
  }
  SAPBUF_KILL_POINT(pool_handed_over);
  buffer.user_ = nullptr;
  buffer.bytes_ = {};
  buffer.status_ = Status::closed;
  if (--user.held_ == 0 && user.closed_) delete &user;
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
