// Taking a buffer when the user's magazine has none, and waiting for one.
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "platform/fence.hpp"
#include "pool/chunks.hpp"
#include "pool/figures.hpp"
#include "pool/growth.hpp"
#include "pool/idle.hpp"
#include "pool/pool_user.hpp"
#include "pool/scan.hpp"
#include "pool/shed.hpp"
#include "pool/unbacked.hpp"
#include "pool/waiters.hpp"
#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::ChunkState;
using layout::ChunkWord;
using layout::MagazineState;
using layout::Request;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kMostDisturbed = 16;                      // times that others wanted what was just put at hand
constexpr std::chrono::milliseconds kLockPatience{10};  // of one who does not wait, with a live holder
// Until a descriptor becomes readable by itself, longer each time; where nothing is shared, it is for what may be shared
// meanwhile.
constexpr std::uint64_t kShortestNapNs = kOthersNs;
constexpr std::uint64_t kLongestNapNs = 100'000'000;
constexpr std::uint64_t kNothingSharedNapNs = 1'000'000'000;

}  // namespace

// Who serves is stopped between saying so and doing it: that one is not to be had twice.
std::uint32_t PoolUserState::promised() const noexcept {
  const Request request{slot->request.load(relaxed)};
  return request.is_given() || request.is_left() ? request.index() : kNoBuffer;
}

template <typename Take>
bool PoolUserState::find_free_in(std::uint32_t chunk, Take& take) noexcept {
  const std::uint32_t first = first_buffer_of(chunk);
  const std::uint32_t size = end_in_reach(*core_, chunk) - first;
  const std::uint32_t skipped = chunk_of(next_) == chunk ? next_ - first : 0;
  const std::uint32_t avoid = promised();
  SAPBUF_KILL_POINT(pool_promised);
  bool found = false;
  for (std::uint32_t looked = 0; looked < size; ++looked) {
    const std::uint32_t at = first + (skipped + looked) % size;
    if (at == avoid || !take_buffer(*core_, at, index_)) continue;
    SAPBUF_KILL_POINT(pool_found);
    next_ = at + 1;
    found = true;
    if (!take(at)) return true;
  }
  if (avoid == kNoBuffer) note_none_free(*core_, chunk);
  return found;
}

template <typename Take>
bool PoolUserState::find_free_among(Among which, Take& take) noexcept {
  const std::uint32_t chunks = count_chunks(*core_);
  const std::uint32_t start = chunk_of(next_);
  for (std::uint32_t looked = 0; looked < chunks; ++looked) {
    const std::uint32_t chunk = (start + looked) % chunks;
    const ChunkWord seen{core_->chunk(chunk).load(relaxed)};
    const bool is_split = seen.state() == ChunkState::split;
    const bool is_own = is_split && seen.is_noted() && seen.owner() == index_;
    const bool wanted = which == Among::own     ? is_own
                        : which == Among::free  ? seen.state() == ChunkState::free && split(*core_, chunk, index_)
                        : which == Among::noted ? is_split && seen.is_noted()
                                                : is_split;
    if (wanted && find_free_in(chunk, take)) return true;
  }
  return false;
}

// First where nobody else looks.
template <typename Take>
bool PoolUserState::find_free(Take take) noexcept {
  return find_free_among(Among::own, take) || find_free_among(Among::free, take) ||
         find_free_among(Among::noted, take) || find_free_among(Among::all, take);
}

bool PoolUserState::refill(std::uint32_t most) noexcept {
  const std::uint32_t now_ms = core_->now_ms();
  std::uint32_t taken = 0;
  const auto put_at_hand = [&](std::uint32_t buffer) {
    note_at_hand(0, taken++, buffer, now_ms);
    return taken < most;
  };
  while (taken < most && find_free(put_at_hand)) {
  }
  if (taken == 0) return false;
  note_refilled(taken);
  update_hot();  // more at hand than the budget leaves
  return true;
}

void PoolUserState::count_acquired(std::uint32_t how_many) noexcept {
  const Magazine first = magazine(0);
  change_magazine(*slot, 0, first, {first.state.load(relaxed) + how_many * MagazineState::kOneAcquired}, how_many);
  count_figure(slot->misses, how_many);
  owned_ += how_many;
  update_hot();
}

// One whose word says already that it is this user's. The magazine is empty: it might name that very buffer still, if
// somebody took it from there, and then it would be taken once more.
Buffer PoolUserState::accept(std::uint32_t buffer) noexcept {
  count_acquired(1);
  return Buffer{*this, buffer};
}

// One that this process has no addresses for is for somebody else.
bool PoolUserState::accept_given(std::uint32_t buffer, Buffer& taken) noexcept {
  slot->request.store(0, std::memory_order_release);
  if (buffer < core_->count()) {
    taken = accept(buffer);
    return true;
  }
  core_->note_back(1);
  free_buffer(*core_, buffer);
  serve_behind_release(*core_, buffer);
  return false;
}

bool PoolUserState::take_free(Buffer& taken) noexcept {
  std::uint32_t buffer = kNoBuffer;
  const auto take_it = [&](std::uint32_t found) {
    buffer = found;
    return false;
  };
  if (!find_free(take_it)) return false;
  core_->since(buffer).store(core_->now_ms(), relaxed);
  core_->note_out(1);
  taken = accept(buffer);
  return true;
}

bool PoolUserState::grow() {
  if (!may_grow_) return false;
  const std::uint32_t before = core_->count();
  count_figure(slot->grown, grow_by_one_step(*core_, kLockPatience));
  return core_->count() > before;
}

bool PoolUserState::make_room_here() {
  {
    const MaintenanceLock lock{*core_, kLockPatience};
    if (!lock) return false;
    const TakenIdle idle = take_idle(*core_, index_ + 1);
    count_figure(slot->stolen, idle.count);
    if (end_cut_off(*core_) || idle.any() || free_unrooted(*core_) != 0) return true;
  }
  return free_by_shedding(*core_, kLockPatience);
}

bool PoolUserState::make_room(bool here) noexcept {
  const platform::Uncancellable to_its_end;
  const auto made_here = [&] { return succeeds([&] { return make_room_here(); }); };
  if (succeeds([&] { return !recover_for(*core_).dead.empty(); })) return true;
  if (here && made_here()) return true;
  if (succeeds([&] { return allocate_chunks(*core_, 1, index_) || has_grown() || grow(); }) || has_grown()) return true;
  return !here && made_here();
}

Status PoolUserState::prepare_to_acquire(std::uint32_t how_many) noexcept {
  if (const Status status = why_not(); status != Status::ok) return status;
  thread.store(this_thread_mark(), relaxed);
  count_elsewhere();
  look_up();
  looked_among_ = core_->count();
  if (held() + how_many <= budget_) return Status::ok;
  take_back_request();
  return Status::over_budget;
}

// What it was to be given it cannot have: that is for others.
void PoolUserState::take_back_request() noexcept {
  if (slot->request.load(relaxed) == 0) return;
  empty_magazines();
  Buffer given;
  static_cast<void>(withdraw(given));
  kept_ticket_ = kNoTicket;
}

Buffer PoolUserState::acquire() noexcept {
  if (has_classes) return acquire_of_class(0);
  int disturbed = 0;
  bool is_last = false;
  for (Tries tries;;) {
    if (const Status status = prepare_to_acquire(1); status != Status::ok) return Buffer{status};
    Buffer taken;
    if (slot->request.load(relaxed) != 0) {  // what a hand-over left that this user did not wait for
      empty_magazines();
      if (!withdraw(taken)) return taken;
    }
    if (may_use_magazine()) {
      if (depth() == 0) refill((capacity + 1) / 2);
      if (pop(taken)) {
        count_figure(slot->misses);
        return taken;
      }
      if (slot->attention.load(relaxed) != acknowledged && ++disturbed < kMostDisturbed) continue;
    } else {
      // Those who wait come first; but who cannot serve them, because the one who has the lock is stopped, does not
      // wait for that one.
      empty_magazines();
      const bool may_take = !somebody_waits(*core_) || !serve_waiters_soon(*core_, kAnyFree) || !somebody_waits(*core_);
      if (may_take && take_free(taken)) return taken;
    }
    if (is_last) break;
    is_last = !make_room(tries.here());  // somebody may have given back meanwhile what he had at hand
    ++tries.rounds;
    is_last |= tries.are_over();
  }
  return Buffer{Status::exhausted};
}

// --- Waiting -------------------------------------------------------------------------------------------------------

void PoolUserState::request(Request what) noexcept {
  // request (SB): in this order.
  slot->request.store(what.word, std::memory_order_seq_cst);
  SAPBUF_KILL_POINT(pool_asked);
  core_->control().waiting.fetch_add(1, std::memory_order_seq_cst);
}

void PoolUserState::ask(Asks what) noexcept {
  empty_magazines();
  count_figure(slot->waits);
  registry::beat(core_->segment().participant(index_));  // before anybody looks whether it is stopped
  // What somebody is about to give, and was stopped, comes yet: then the ticket that it asked with is good still.
  if (!wait_for_left(*slot) && slot->request.load(relaxed) == 0) {
    const std::uint64_t kept = std::exchange(kept_ticket_, kNoTicket);
    const std::uint64_t ticket = kept != kNoTicket ? kept : core_->control().next_ticket.fetch_add(1, relaxed) + 1;
    slot->ticket.store(ticket, relaxed);
    request(what == Asks::to_be_told ? Request::listens(ticket) : Request::waits(ticket));
  }
  // magazine (SB): what they put back from here on, they give to those who wait. One who cannot make the fence looks by
  // itself.
  for_each_participant(*core_, [&](std::uint32_t user, layout::SlotRegistration) {
    core_->slot(user).attention.fetch_add(1, std::memory_order_acq_rel);
  });
  static_cast<void>(platform::heavy_fence(full_fences_));
}

bool PoolUserState::take_given(Buffer& taken) noexcept {
  Request request{slot->request.load(std::memory_order_acquire)};
  if (!request.is_given()) return false;
  if (!was_given(*core_, index_, request)) {
    const platform::Uncancellable to_its_end;
    const MaintenanceLock lock{*core_, kLockPatience};
    if (!lock) return false;
    request.word = slot->request.load(std::memory_order_acquire);
    if (!was_given(*core_, index_, request)) {
      slot->request.store(Request::waits(slot->ticket.load(relaxed)).word, std::memory_order_release);
      return false;
    }
  }
  return accept_given(request.index(), taken);
}

bool PoolUserState::withdraw(Buffer& taken) noexcept {
  for (;;) {
    Request seen{slot->request.load(std::memory_order_acquire)};
    if (seen.is_none()) return true;
    if (seen.is_left()) break;
    if (was_given(*core_, index_, seen)) return !accept_given(seen.index(), taken);
    if (seen.is_given()) {
      leave(*slot, seen);
    } else if (slot->request.compare_exchange_strong(seen.word, 0, std::memory_order_acq_rel, relaxed)) {
      // With a descriptor it asks again as soon as it finds nothing, and has waited all the time.
      if (event_fd_ != nullptr) kept_ticket_ = slot->ticket.load(relaxed);
    }
  }
  return !take_what_it_left(taken);
}

// Or else nobody is about to give it any more, unless who has the lock is stopped.
bool PoolUserState::take_what_it_left(Buffer& taken) noexcept {
  const Request left{slot->request.load(relaxed)};
  if (!take_left(*core_, index_, left)) {
    const platform::Uncancellable to_its_end;
    const MaintenanceLock lock{*core_, kLockPatience};
    if (!lock) return false;
    if (!take_left(*core_, index_, left)) {
      end_cut_off(*core_);
      return false;
    }
  }
  return accept_given(left.index(), taken);
}

int PoolUserState::event_fd() {
  core_->segment().check_not_forked();
  if (event_fd_ == nullptr) {
    event_fd_ = std::make_unique<EventFd>(core_->segment());
    event_fd_->make_readable();  // nothing says yet that there is no buffer
  }
  return event_fd_->descriptor();
}

std::uint64_t PoolUserState::look_again_ns() noexcept {
  nap_ns_ = any_shared(*core_) ? std::clamp(2 * nap_ns_, kShortestNapNs, kLongestNapNs) : kNothingSharedNapNs;
  return platform::monotonic_ns() + nap_ns_;
}

void PoolUserState::arm(EventFd& event_fd, std::uint32_t size_class) noexcept {
  const platform::Uncancellable to_its_end;
  event_fd.forget();  // of an earlier request, that the attempt took back
  const std::uint64_t due_ns = look_again_ns();
  const auto look = [&] {
    // Behind the ticket: whoever strikes the request out has told the descriptor's thread before.
    ask(has_classes ? Asks::to_be_told : Asks::for_one);
    // What it finds it gives back: there is one.
    if (has_classes) return search_class(size_class).status() != Status::exhausted;
    serve_waiters_soon(*core_, kAnyFree, index_);
    return was_given(*core_, index_, Request{slot->request.load(std::memory_order_acquire)});
  };
  event_fd.arm(slot->served, Wakers::use_full_fences, look, [&] { return due_ns; });
}

void PoolUserState::arm_own_event_fd_anew(Status found, std::uint32_t size_class) noexcept {
  if (event_fd_ == nullptr) return;
  if (found == Status::ok) {
    note_served();
    event_fd_->make_readable();  // nothing says that there is no other one
  } else if (found == Status::exhausted || found == Status::timeout || found == Status::stopped) {
    arm(*event_fd_, size_class);
  }
}

// Without a request meanwhile: one buffer would be taken and given. It may be the same one again behind that: it took none.
void PoolUserState::take_out_of_turn(Buffer& taken) noexcept {
  if (!withdraw(taken) || take_free(taken) || wait_for_left(*slot)) return;
  if (slot->request.load(relaxed) == 0) request(Request::waits(slot->ticket.load(relaxed)));
}

// Status::ok: not yet.
Status PoolUserState::why_stop_waiting(std::uint64_t deadline_ns) noexcept {
  if (const Status status = why_not(); status != Status::ok) return status;
  if (stop_ != nullptr && stop_->load(relaxed)) return Status::stopped;
  return platform::monotonic_ns() >= deadline_ns ? Status::timeout : Status::ok;
}

Buffer PoolUserState::acquire_for(std::chrono::nanoseconds timeout) noexcept {
  if (has_classes) return acquire_of_for(0, timeout);
  Buffer taken = acquire();
  if (taken.status() != Status::exhausted) return taken;
  const platform::Uncancellable to_its_end;
  const std::uint64_t begun_ns = platform::monotonic_ns();
  const std::uint64_t deadline_ns = platform::deadline_after(timeout);
  std::uint64_t made_room_ns = 0;
  ask(Asks::for_one);
  for (;;) {
    const SleepTicket ticket{slot->served, false, full_fences_};
    const std::uint64_t now = platform::monotonic_ns();
    if (is_oldest_waiter(*core_, index_) || now - made_room_ns > kOthersNs) {
      made_room_ns = now;
      looked_among_ = core_->count();
      make_room(true);
      if (!serve_waiters_soon(*core_, kAnyFree, index_)) take_out_of_turn(taken);  // who has the lock may be stopped
    }
    if (taken || take_given(taken)) break;
    if (slot->request.load(relaxed) == 0) {  // what it had left was freed, or it was given what it cannot have
      if (take_free(taken)) break;
      if (core_->count() == core_->there()) request(Request::waits(slot->ticket.load(relaxed)));
    }
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
  Buffer given;
  if (withdraw(given) || taken) return taken;
  return given;
}

}  // namespace SAPBUF_DETAIL
