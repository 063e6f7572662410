// A user's magazines: free buffers that it has at hand. All of them are the user's by their words, and nobody else
// touches those, except under the pool's lock: see pool/idle.hpp.
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "pool/chunks.hpp"
#include "pool/figures.hpp"
#include "pool/pool_user.hpp"
#include "pool/waiters.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::MagazineState;

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

std::uint32_t PoolUserState::depth() const noexcept { return magazine(0).depth(); }

std::uint64_t PoolUserState::at_hand() const noexcept { return has_classes ? at_hand_ : depth(); }

void PoolUserState::update_hot() noexcept {
  count = core_->count();
  if (has_classes) return;
  capacity = std::clamp<std::uint32_t>(count / 8, 1, layout::kMagazine);
  const std::uint64_t all = owned_ + shared_;
  least_depth =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(all > budget_ ? all - budget_ : 0, layout::kMagazine));
}

void PoolUserState::look_up() noexcept {
  if (why_not() != Status::ok) {  // the slot may be somebody else's
    acknowledged = kNever;
    return;
  }
  // magazine (SB): acquire, so that whoever raised it by a request has also said that somebody waits.
  const std::uint64_t seen = slot->attention.load(std::memory_order_acquire);
  bool gave_back = false;
  if (seen != looked_up_) {
    // magazine-look: the words change behind this.
    slot->acknowledged.store(seen, std::memory_order_release);
    SAPBUF_KILL_POINT(pool_acknowledged);
    gave_back = at_hand() != 0;
    empty_magazines();
    looked_up_ = seen;
  }
  if (gave_back) serve_behind_release(*core_, kAnyFree);
  // What it was given comes before what it has at hand, or would be kept from others for as long as there is such.
  const bool is_to_have = slot->request.load(relaxed) != 0;
  acknowledged = full_fences_ || is_to_have || somebody_waits(*core_) ? kNever : seen;
  update_hot();
}

void PoolUserState::refill_with(std::vector<layout::Root>& dying) noexcept {
  if (has_classes || depth() != 0 || !may_use_magazine() || is_wanted()) return;
  if (thread.load(relaxed) != this_thread_mark()) return;
  const std::uint32_t now_ms = core_->now_ms();
  std::uint32_t taken = 0;
  while (taken < capacity && !dying.empty()) {
    const layout::Root root = dying.back();
    dying.pop_back();
    BufferWord seen = BufferWord::dying(root.incarnation(), index_);
    const BufferWord own = BufferWord::make(root.incarnation() + 1, BufferState::local, index_);
    // pool-free: acquire, behind the roots; release, as of a buffer that was free.
    layout::Word& word = core_->word(root.index());
    if (!word.compare_exchange_strong(seen.word, own.word, std::memory_order_acq_rel, relaxed)) continue;
    SAPBUF_KILL_POINT(unkept_taken);
    note_at_hand(0, taken++, root.index(), now_ms);
  }
  if (taken == 0) return;
  count_figure(slot->refills);
  update_hot();
}

// At once, before the next one is taken: whoever is stopped while he refills keeps one from others, and no more.
void PoolUserState::note_at_hand(std::uint32_t number, std::uint32_t depth, std::uint32_t buffer,
                                 std::uint32_t now_ms) noexcept {
  const Magazine into = magazine(number);
  core_->since(buffer).store(now_ms, relaxed);
  into.buffers[depth].store(buffer, std::memory_order_release);
  change_magazine(*slot, number, into, MagazineState{into.state.load(relaxed)}.with_depth(depth + 1), 1);
  ++owned_;
  if (has_classes) ++at_hand_;
}

// With so many that were taken from the pool.
void PoolUserState::note_refilled(std::uint32_t taken) noexcept {
  count_figure(slot->refills);
  core_->note_out(taken);
  SAPBUF_KILL_POINT(pool_refilled);
}

bool PoolUserState::pop(Buffer& taken) noexcept {
  const MagazineState state{slot->state.load(relaxed)};
  if (depth() == 0) return false;
  const std::uint32_t buffer = slot->magazine[depth() - 1].load(relaxed);
  if (buffer >= core_->count()) {  // nobody but a stray store puts that there
    empty_magazines();
    return false;
  }
  slot->state.store(state.after_acquiring().word, relaxed);
  light_fence();  // magazine (SB): as in PoolUser::acquire()
  if (is_wanted()) {
    slot->state.store(state.word, std::memory_order_release);
    return false;
  }
  taken = Buffer{*this, buffer};
  return true;
}

// Others may be taking them at the same time: each is given back by whoever changes its word.
void PoolUserState::give_back(std::uint32_t number, std::uint32_t how_many) noexcept {
  const Magazine from = magazine(number);
  const MagazineState state{from.state.load(relaxed)};
  const std::uint32_t there = from.depth();
  const std::uint32_t stay = there - std::min(how_many, there);
  core_->note_back(there - stay);
  std::uint32_t left = there - stay;
  for (std::uint32_t i = stay; i < there; ++i) {
    const std::uint32_t buffer = from.buffers[i].load(relaxed);
    if (buffer >= core_->count()) continue;
    layout::Word& word = core_->word(buffer);
    BufferWord seen{word.load(relaxed)};
    if (!seen.is_local_of(index_)) continue;
    // pool-free: release, behind the last use.
    if (!word.compare_exchange_strong(seen.word, seen.freed().word, std::memory_order_acq_rel, relaxed)) continue;
    SAPBUF_KILL_POINT(pool_given_back);
    note_free(*core_, buffer);
    --left;
  }
  if (left != 0) core_->note_out(left);  // those that others took, who noted it themselves
  owned_ -= there - stay;
  if (has_classes) at_hand_ -= there - stay;
  change_magazine(*slot, number, from, state.with_depth(stay), -std::int64_t{there - stay});
}

void PoolUserState::empty_magazines() noexcept {
  for (std::uint32_t number = 0; number < core_->magazines(); ++number) {
    const Magazine from = magazine(number);
    if (from.state.load(relaxed) % MagazineState::kOneAcquired != 0) give_back(number, from.size);
  }
}

void PoolUserState::put_back(std::uint32_t number, std::uint32_t buffer) noexcept {
  const Magazine into = magazine(number);
  const MagazineState state{into.state.load(relaxed)};
  if (has_classes) ++at_hand_;
  into.buffers[into.depth()].store(buffer, std::memory_order_release);
  into.state.store(state.after_releasing().word, std::memory_order_release);
  light_fence();  // magazine (SB): as in Buffer::let_go()
  if (is_wanted()) look_up();
}

void PoolUserState::release(std::uint32_t buffer, std::uint32_t root) noexcept {
  if (thread.load(relaxed) != this_thread_mark()) return release_elsewhere(buffer, root);
  if (is_wanted() && why_not() != Status::ok) return;
  if (root != kNoRoot) {
    slot->roots[root].store(0, std::memory_order_release);
    has_no_more(root);
    light_fence();  // magazine (SB): behind the root; who waits makes the heavy one
    if (!is_wanted()) [[likely]]
      return;
    look_up();
    if (somebody_waits(*core_)) wake_oldest_waiter(*core_);
    return;
  }
  if (is_wanted()) look_up();
  const std::uint32_t number = magazine_of(buffer);
  if (const std::uint32_t most = may_use_magazine() ? capacity_of(number) : 0; most != 0) {
    if (magazine(number).depth() >= most) give_back(number, (most + 1) / 2);
    return put_back(number, buffer);
  }
  core_->note_back(1);
  free_buffer(*core_, buffer);
  has_no_more(root);
  serve_behind_release(*core_, buffer);
}

// Another thread has the magazine, or nobody has it any more: straight to the pool.
void PoolUserState::release_elsewhere(std::uint32_t buffer, std::uint32_t root) noexcept {
  if (forked_) return;
  const bool is_shared = root != kNoRoot;
  const std::shared_ptr<PoolCore> core = core_;  // this may be gone once it is counted
  if (why_not() == Status::ok) {
    if (is_shared) {
      slot->roots[root].store(0, std::memory_order_release);
    } else {
      core_->note_back(1);
      free_buffer(*core_, buffer);
    }
    slot->elsewhere.fetch_add(1, relaxed);
  }
  count_released_elsewhere(1, is_shared);
  if (is_shared) {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // request (SB): behind the root
    if (somebody_waits(*core)) wake_oldest_waiter(*core);
  } else {
    serve_behind_release(*core, buffer);
  }
}

void PoolUserState::has_no_more(std::uint32_t root) noexcept {
  const bool is_shared = root != kNoRoot;
  if (thread.load(relaxed) != this_thread_mark()) {
    slot->elsewhere.fetch_add(1, relaxed);
    return count_released_elsewhere(1, is_shared);
  }
  change_has(*slot, -1);
  if (is_shared) free_roots_[free_root_count_++] = root;
  --(is_shared ? shared_ : owned_);
}

void PoolUserState::count_released_elsewhere(std::uint32_t how_many, bool is_shared) noexcept {
  bool is_last = false;
  {
    const std::lock_guard guard{elsewhere_.mutex};
    if (elsewhere_.closed) {
      elsewhere_.left -= how_many;
      is_last = elsewhere_.left == 0;
    } else {
      (is_shared ? elsewhere_.shared : elsewhere_.local) += how_many;
      elsewhere_.any.store(true, relaxed);
    }
  }
  if (!is_last) return;
  const platform::Uncancellable to_its_end;
  delete this;
}

// One that is released elsewhere at this very moment is counted at the next call.
void PoolUserState::count_elsewhere() noexcept {
  if (!elsewhere_.any.load(relaxed)) return;
  const std::lock_guard guard{elsewhere_.mutex};
  elsewhere_.any.store(false, relaxed);
  owned_ -= std::exchange(elsewhere_.local, 0);
  shared_ -= std::exchange(elsewhere_.shared, 0);
}

}  // namespace SAPBUF_DETAIL
