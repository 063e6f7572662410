// Runs: adjacent buffers as one allocation. See pool/chunks.hpp.
#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "pool/chunks.hpp"
#include "pool/figures.hpp"
#include "pool/idle.hpp"
#include "pool/pool_user.hpp"
#include "pool/scan.hpp"
#include "pool/shed.hpp"
#include "pool/unbacked.hpp"
#include "pool/waiters.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr int kMostLooks = 64;  // at what others have at hand: they may fill it again meanwhile
constexpr std::chrono::milliseconds kLockPatience{10};

// The first of a chunk that is taken whole stands for all of it.
void stamp_run(PoolCore& core, std::uint32_t first, std::uint32_t count) noexcept {
  const std::uint32_t now_ms = core.now_ms();
  const std::uint32_t end = first + count;
  std::uint32_t at = first;
  for (; end - at >= layout::kChunkBuffers; at += layout::kChunkBuffers) {
    core.since(at).store(now_ms, std::memory_order_relaxed);
  }
  for (; at < end; ++at) core.since(at).store(now_ms, std::memory_order_relaxed);
}

}  // namespace

bool PoolUserState::grow_for_run(std::uint32_t how_many) {
  const std::uint64_t chunked = layout::chunks_of(core_->count()) * layout::kChunkBuffers;
  const std::uint64_t enough = std::min(chunked + how_many, core_->geometry().max_count);
  bool grown = false;
  while (core_->count() < enough && grow()) grown = true;
  return grown;
}

// What others have at hand, and what nobody holds. False also if the lock was not to be had.
bool PoolUserState::free_unused() {
  const MaintenanceLock lock{*core_, kLockPatience};
  if (!lock) return false;
  bool freed = false;
  for (int looks = 0; looks < kMostLooks; ++looks) {
    const TakenIdle idle = take_idle(*core_, index_ + 1);
    count_figure(slot->stolen, idle.count);
    freed |= idle.any();
    if (idle.count == 0) break;
  }
  freed |= end_cut_off(*core_);
  return free_unrooted(*core_) != 0 || freed;
}

bool PoolUserState::take_back_unused() noexcept {
  const platform::Uncancellable to_its_end;
  try {
    const bool recovered = !recover_for(*core_).dead.empty();
    const bool freed = free_unused();
    return join_all(*core_, index_) != 0 || recovered || freed;
  } catch (const std::exception&) {
    return false;  // no memory, no mapping now
  }
}

bool PoolUserState::get_room_for_run(std::uint32_t how_many, Tries& tries) noexcept {
  const platform::Uncancellable to_its_end;
  const auto shed = [&] {
    if (tries.shed >= Tries::kMostShed) return false;
    if (!succeeds([&] { return free_by_shedding(*core_, kLockPatience); })) return false;
    ++tries.shed;
    return true;
  };
  const auto get_more = [&] {
    return allocate_chunks(*core_, how_many, index_) || has_grown() || grow_for_run(how_many);
  };
  const bool sheds_first = tries.shed < Tries::kHere;
  if (sheds_first && shed()) return true;
  return succeeds(get_more) || has_grown() || (!sheds_first && shed());
}

Run PoolUserState::acquire_run(std::uint32_t how_many) noexcept {
  if (how_many == 0 || how_many > core_->geometry().max_count) return Run{Status::too_large};
  bool is_last = false;
  for (Tries tries;; ++tries.rounds) {
    if (const Status status = prepare_to_acquire(how_many); status != Status::ok) return Run{status};
    // What a hand-over left that this user did not wait for: it may go into the magazine.
    if (Buffer given; slot->request.load(std::memory_order_relaxed) != 0) {
      empty_magazines();
      static_cast<void>(withdraw(given));
    }
    // It might name a buffer still that somebody took from there: one that comes back by its word would be at hand once
    // more.
    if (how_many % layout::kChunkBuffers != 0) empty_magazines();
    SAPBUF_KILL_POINT(pool_run_begun);
    if (!somebody_waits(*core_) || !serve_waiters_soon(*core_, kAnyFree) || !somebody_waits(*core_) ||
        (has_classes && turn_of(*core_, index_, kNoClass) == Turn::first)) {
      const std::uint32_t first = take_run(*core_, {how_many, index_, chunk_of(next_), promised()});
      if (first != kNoBuffer) {
        stamp_run(*core_, first, how_many);
        core_->note_out(how_many);
        count_acquired(how_many);
        return Run{*this, first, how_many};
      }
    }
    if (is_last) break;
    empty_magazines();
    const bool freed = take_back_unused();
    if (freed && tries.here()) continue;
    if (has_classes && gives_way(kNoClass)) {
      is_last = true;
      continue;
    }
    is_last = (!get_room_for_run(how_many, tries) && !freed) || tries.are_over();
  }
  return Run{Status::exhausted};
}

std::uint64_t PoolUserState::trim() {
  free_unused();
  join_all(*core_, index_);
  return give_back_free_chunks(*core_, index_);
}

// On any thread: nothing of it passes through the magazine.
void PoolUserState::release_run(std::uint32_t first, std::uint32_t how_many) noexcept {
  if (forked_) return;
  const std::shared_ptr<PoolCore> core = core_;  // this may be gone once it is counted
  const bool is_own = thread.load(std::memory_order_relaxed) == this_thread_mark();
  if (why_not() == Status::ok) {
    core->note_back(how_many);
    free_run(*core, first, how_many);
    if (is_own) {
      change_has(*slot, -std::int64_t{how_many});
    } else {
      slot->elsewhere.fetch_add(how_many, std::memory_order_relaxed);
    }
  }
  if (is_own) {
    owned_ -= how_many;
    if (budget_ != kNoBudget) update_hot();
  } else {
    count_released_elsewhere(how_many, false);
  }
  serve_behind_release(*core, kAnyFree);
}

}  // namespace SAPBUF_DETAIL
