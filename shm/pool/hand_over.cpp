#include "pool/hand_over.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "pool/chunks.hpp"
#include "pool/figures.hpp"
#include "pool/pool_user.hpp"

namespace SAPBUF_DETAIL {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;

namespace {

// From what a root keeps, also if a scan has found it dying. False: it is of another incarnation.
bool move_rooted(layout::Word& word, Root root, BufferWord to) noexcept {
  BufferWord seen{word.load(relaxed)};
  while (seen.incarnation() == root.incarnation() && seen.is_shared()) {
    if (word.compare_exchange_weak(seen.word, to.word, std::memory_order_acq_rel, relaxed)) return true;
  }
  return false;
}

}  // namespace

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

layout::Root PoolUserState::root_of(const Buffer& buffer) noexcept {
  const auto& user = static_cast<const PoolUserState&>(*buffer.user_);
  const BufferWord own{user.core_->word(buffer.index_).load(relaxed)};  // nobody changes it meanwhile
  return Root::make(buffer.index_, own.incarnation());
}

void PoolUserState::share_rooted(Buffer& buffer, std::uint32_t now_ms) noexcept {
  auto& user = static_cast<PoolUserState&>(*buffer.user_);
  layout::Word& word = user.core_->word(buffer.index_);
  user.core_->since(buffer.index_).store(now_ms, relaxed);
  const std::uint32_t incarnation = BufferWord{word.load(relaxed)}.incarnation();
  // pool-share: release, so that who takes it sees what stands in it, and scans see the root before the word.
  word.store(BufferWord::make(incarnation, BufferState::shared).word, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_handed_over);
  buffer.user_ = nullptr;
  buffer.bytes_ = {};
  buffer.status_ = Status::closed;
  count_figure(user.slot->attached);
  user.has_no_more(kNoRoot);
}

Buffer PoolUserState::take_back(PoolUserHot& hot, layout::Root root) noexcept {
  auto& user = static_cast<PoolUserState&>(hot);
  user.note_thread();
  const BufferWord own = BufferWord::make(renewed(root).incarnation(), BufferState::local, user.index_);
  if (!move_rooted(user.core_->word(root.index()), root, own)) return Buffer{Status::declared_dead};
  count_figure(user.slot->adopted);
  change_has(*user.slot, 1);
  ++user.owned_;
  return Buffer{user, root.index()};
}

const PoolCore* find_pool_of(const Buffer& buffer, const SegmentCore& segment, Status& status) noexcept {
  const PoolCore* const pool = PoolUserState::home_of(buffer, status);
  if (pool == nullptr || pool->segment().creation_id() == segment.creation_id()) return pool;
  status = Status::other_segment;
  return nullptr;
}

Status root_elsewhere(Buffer& buffer, layout::Word& root) noexcept { return PoolUserState::hand_over(buffer, root); }

layout::Root root_of(const Buffer& buffer) noexcept { return PoolUserState::root_of(buffer); }

const PoolUserHot* user_of(const Buffer& buffer) noexcept { return PoolUserState::user_of(buffer); }

void share_rooted(Buffer& buffer, std::uint32_t now_ms) noexcept { PoolUserState::share_rooted(buffer, now_ms); }

Buffer take_back(PoolUserHot& user, Root root) noexcept { return PoolUserState::take_back(user, root); }

void free_rooted(PoolCore& pool, std::span<const Root> roots) noexcept {
  pool.note_back(roots.size());
  std::size_t left = 0;
  for (const Root root : roots) {
    const BufferWord shared = BufferWord::make(root.incarnation(), BufferState::shared);
    std::uint64_t seen = shared.word;
    // pool-free: release, behind the last use.
    if (root.is_none() || root.index() >= pool.there() ||
        !pool.word(root.index())
             .compare_exchange_strong(seen, shared.freed().word, std::memory_order_acq_rel, relaxed)) {
      ++left;
      continue;
    }
    SAPBUF_KILL_POINT(pool_freed);
    note_free(pool, root.index());
  }
  if (left != 0) pool.note_out(left);
}

bool renew_rooted(PoolCore& pool, Root root) noexcept {
  const BufferWord next = BufferWord::make(renewed(root).incarnation(), BufferState::shared);
  return move_rooted(pool.word(root.index()), root, next);
}

}  // namespace SAPBUF_DETAIL
