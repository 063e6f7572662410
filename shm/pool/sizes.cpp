// Buffers of a size class. Each of them passes through the user's magazine for its class, be it alone: so there is one
// way to get one, and the look behind it finds whether others took from the magazines meanwhile.
#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "pool/blocks.hpp"
#include "pool/figures.hpp"
#include "pool/pool_user.hpp"
#include "pool/waiters.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::ChunkState;
using layout::ChunkWord;
using layout::MagazineState;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kTries = 16;               // to take, while others come between
constexpr std::uint32_t kWindow = 1024;  // chunks to look at for a block before a new one is formed

}  // namespace

// Which one a buffer comes back to.
std::uint32_t PoolUserState::magazine_of(std::uint32_t buffer) const noexcept {
  if (!has_classes) return 0;
  const std::uint32_t chunk = chunk_of(buffer);
  ChunkWord seen{core_->chunk(chunk).load(relaxed)};  // nobody changes it while the buffer is somebody's
  if (seen.state() == ChunkState::tail && seen.back() <= chunk) {
    seen.word = core_->chunk(chunk - seen.back()).load(relaxed);
  }
  return std::min(seen.size_class(), core_->classes() - 1);  // more only by a stray store
}

std::uint32_t PoolUserState::capacity_of(std::uint32_t number) const noexcept {
  return has_classes ? core_->size_class(number).capacity : capacity;
}

bool PoolUserState::form(std::uint32_t size_class, Place place) noexcept {
  const std::uint32_t head = form_block(*core_, size_class, formed_, index_, place);
  if (head == kNoChunk) return false;
  near_[size_class] = formed_ = head;
  return true;
}

template <typename Take>
std::uint32_t PoolUserState::take_of_class(std::uint32_t size_class, Take take) noexcept {
  using Which = BlockSearch::Among;
  Turn turn = Turn::first;
  if (somebody_waits(*core_)) {
    turn = turn_of(*core_, index_, size_class);
    if (turn == Turn::not_yet) return 0;
    // Nobody but those who gave up, died, or are stopped.
    const bool perhaps_nobody = turn == Turn::first && slot->request.load(relaxed) == 0;
    if (perhaps_nobody && !somebody_listens(*core_)) serve_waiters_soon(*core_, kAnyFree);
  }
  std::uint32_t& near = near_[size_class];
  const auto look = [&](Which which, std::uint32_t most) {
    return take_from_blocks(*core_, {which, size_class, index_, near, most}, take);
  };
  if (const std::uint32_t got = take_from_block(*core_, near, size_class, index_, take)) return got;
  if (const std::uint32_t got = look(Which::own, kWindow)) return got;
  if (const std::uint32_t got = look(Which::noted, kWindow)) return got;
  for (int tried = 0; turn == Turn::first && tried < kTries; ++tried) {
    if (!form(size_class, Place::in_line)) break;
    if (const std::uint32_t got = take_from_block(*core_, near, size_class, index_, take)) return got;
  }
  if (const std::uint32_t got = look(Which::noted, ~0u)) return got;
  return look(Which::all, ~0u);
}

// Into its magazine, which is empty.
bool PoolUserState::refill_class(std::uint32_t size_class) noexcept {
  const std::uint32_t room = may_use_magazine() ? core_->size_class(size_class).capacity : 0;
  const std::uint32_t most = std::max((room + 1) / 2, 1u);
  const std::uint32_t now_ms = core_->now_ms();
  std::uint32_t taken = 0;
  const std::uint32_t got = take_of_class(size_class, [&](std::uint32_t buffer) {
    note_at_hand(size_class, taken++, buffer, now_ms);
    return taken < most;
  });
  if (got != 0) note_refilled(got);
  return got != 0;
}

// kNoBuffer if others want what is at hand, or there is nothing.
inline std::uint32_t PoolUserState::pop_class(std::uint32_t size_class) noexcept {
  const Magazine own = magazine(size_class);
  const MagazineState state{own.state.load(relaxed)};
  const std::uint32_t depth = own.depth();
  if (depth == 0) return kNoBuffer;
  const std::uint32_t buffer = own.buffers[depth - 1].load(relaxed);
  SAPBUF_KILL_POINT(pool_popping);
  own.state.store(state.after_acquiring().word, relaxed);
  SAPBUF_KILL_POINT(pool_taken);
  light_fence();  // magazine (SB): as in PoolUser::acquire()
  const std::uint32_t pieces = core_->size_class(size_class).pieces;
  const bool is_there = buffer < count && pieces <= count - buffer;  // or else a stray store put it there
  if (slot->attention.load(relaxed) != looked_up_ || !is_there) {
    own.state.store(state.word, std::memory_order_release);  // it is still in the magazine
    return kNoBuffer;
  }
  --at_hand_;
  return buffer;
}

Buffer PoolUserState::of_class(std::uint32_t size_class, std::uint32_t buffer) noexcept {
  return Buffer{*this, buffer, kNoRoot, core_->size_class(size_class).bytes};
}

Buffer PoolUserState::take_in_turn(std::uint32_t size_class) noexcept {
  for (int tried = 0; tried < kTries; ++tried) {
    if (const Status status = prepare_to_acquire(1); status != Status::ok) return Buffer{status};
    const bool is_at_hand = magazine(size_class).depth() != 0;
    if (!is_at_hand && !refill_class(size_class)) break;
    if (const std::uint32_t buffer = pop_class(size_class); buffer != kNoBuffer) {
      if (!is_at_hand) count_figure(slot->misses);
      return of_class(size_class, buffer);
    }
    if (slot->attention.load(relaxed) == looked_up_) empty_magazines();
  }
  return Buffer{Status::exhausted};
}

bool PoolUserState::gives_way(std::uint32_t size_class) noexcept {
  if (!somebody_waits(*core_) || turn_of(*core_, index_, size_class) == Turn::first) return false;
  const platform::Uncancellable to_its_end;
  succeeds([&] { return grow(); });
  return true;
}

bool PoolUserState::make_room_for_class(std::uint32_t size_class, Tries& tries) noexcept {
  const bool freed = take_back_unused();
  if (freed && tries.here()) return true;
  if (gives_way(size_class)) return false;
  if (form(size_class, Place::anywhere)) return true;
  return get_room_for_run(core_->size_class(size_class).chunks * layout::kChunkBuffers, tries) || freed;
}

Buffer PoolUserState::search_class(std::uint32_t size_class) noexcept {
  bool is_last = false;
  for (Tries tries;; ++tries.rounds) {
    Buffer taken = take_in_turn(size_class);
    if (taken.status() != Status::exhausted || is_last) return taken;
    empty_magazines();
    is_last = !make_room_for_class(size_class, tries) || tries.are_over();
  }
}

Buffer PoolUserState::acquire_of_class(std::uint32_t size_class) noexcept {
  if (slot->request.load(relaxed) != 0) slot->request.store(0, std::memory_order_release);  // it looks for itself now
  return search_class(size_class);
}

Acquired PoolUserState::acquire_of(std::uint64_t bytes) noexcept {
  if (bytes > core_->geometry().largest_bytes) return in_words(Buffer{Status::too_large});
  const std::uint32_t size_class = core_->class_for(bytes);
  const bool is_here = thread.load(relaxed) == this_thread_mark();
  if (is_here && !is_wanted() && budget_ == kNoBudget) [[likely]] {
    const std::uint32_t buffer = pop_class(size_class);
    if (buffer != kNoBuffer) [[likely]]
      return {core_->size_class(size_class).bytes, buffer, Status::ok};
  }
  Buffer taken = acquire_of_class(size_class);
  arm_own_event_fd(taken.status(), size_class);
  return in_words(std::move(taken));
}

Buffer PoolUserState::acquire_of_for(std::uint64_t bytes, std::chrono::nanoseconds timeout) noexcept {
  if (!has_classes) return bytes <= buffer_bytes ? acquire_for(timeout) : Buffer{Status::too_large};
  if (bytes > core_->geometry().largest_bytes) return Buffer{Status::too_large};
  const std::uint32_t size_class = core_->class_for(bytes);
  Buffer taken = acquire_of_class(size_class);
  if (taken.status() != Status::exhausted) return taken;
  const platform::Uncancellable to_its_end;
  const std::uint64_t begun_ns = platform::monotonic_ns();
  const std::uint64_t deadline_ns = platform::deadline_after(timeout);
  std::uint64_t made_room_ns = 0;
  slot->wanted_class.store(size_class, relaxed);
  ask(Asks::for_one);
  for (;;) {
    const SleepTicket ticket{slot->served, false, full_fences_};
    const std::uint64_t now = platform::monotonic_ns();
    taken = take_in_turn(size_class);
    const bool makes_room = is_oldest_waiter(*core_, index_) || now - made_room_ns > kOthersNs;
    if (taken.status() == Status::exhausted && makes_room) {
      made_room_ns = now;
      empty_magazines();
      Tries first;
      if (make_room_for_class(size_class, first)) taken = take_in_turn(size_class);
    }
    if (taken.status() != Status::exhausted) break;
    if (const Status status = why_stop_waiting(deadline_ns); status != Status::ok) {
      taken = Buffer{status};
      break;
    }
    SAPBUF_KILL_POINT(pool_waiting);
    registry::beat(core_->segment().participant(index_));
    ticket.sleep_until(std::min(deadline_ns, now + nap_after(now - begun_ns)));
    recover_while_waiting(core_->segment(), recovery_tried_ns_, Sweepers::one);
  }
  if (why_not() != Status::ok) return taken;
  slot->request.store(0, std::memory_order_release);
  serve_waiters_soon(*core_, kAnyFree);
  return taken;
}

}  // namespace SAPBUF_DETAIL
