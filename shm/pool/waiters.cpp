#include "pool/waiters.hpp"

#include <optional>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "pool/chunks.hpp"
#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::Request;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::chrono::milliseconds kPatience{1};  // with a holder of the lock that is stopped

// Of whoever waits, from one sign of life to the next: he gives one at each of his looks, every 16 ms.
constexpr std::uint64_t kMostSilentNs = 200'000'000;

constexpr std::uint32_t kNone = ~std::uint32_t{0};  // a slot, or a buffer

constexpr int kMostChanges = 16;  // of a request, beside one who serves: more only by stray stores

struct Waiter {
  std::uint32_t slot = kNone;
  std::uint64_t ticket = 0;
  Request request;
};

bool is_local(const PoolCore& core, std::uint32_t slot, std::uint32_t buffer) noexcept {
  // pool-free: acquire.
  return buffer < core.there() && BufferWord{core.word(buffer).load(std::memory_order_acquire)}.is_local_of(slot);
}

// Whether it waits still. Under the lock, so that no hand-over is under way: one that was cut off counts.
bool is_waiting(const PoolCore& core, std::uint32_t slot, Request request) noexcept {
  return request.is_waiting() || (request.is_given() && !was_given(core, slot, request));
}

// Null slot: there is none behind `ticket`.
Waiter next_waiter(const PoolCore& core, std::uint64_t ticket) noexcept {
  Waiter oldest;
  for_each_participant(core, [&](std::uint32_t index, layout::SlotRegistration) {
    const layout::PoolSlot& slot = core.slot(index);
    const Request request{slot.request.load(std::memory_order_acquire)};
    const std::uint64_t own = request.is_given() ? slot.ticket.load(relaxed) : request.ticket();
    if (own <= ticket || !is_waiting(core, index, request)) return;
    if (oldest.slot == kNone || own < oldest.ticket) oldest = {index, own, request};
  });
  return oldest;
}

// One after the other: the one that was just freed, or all that are free. Walks over the words once.
class FreeBuffers {
 public:
  FreeBuffers(PoolCore& core, std::uint32_t freed) noexcept
      : core_(core), at_(freed == kAnyFree ? 0 : freed), end_(freed == kAnyFree ? core.there() : freed + 1) {}

  // For the user of slot `waiter`: it was free behind whatever was seen of him.
  std::uint32_t next(std::uint32_t waiter) noexcept {
    while (at_ < end_) {
      const std::uint32_t buffer = at_++;
      if (!is_free(buffer)) continue;
      if (split(core_, chunk_of(buffer), waiter)) return buffer;
      at_ = first_buffer_of(chunk_of(buffer) + 1);
    }
    return kNone;
  }

  // It was not handed over.
  void keep(std::uint32_t buffer) noexcept { at_ = buffer; }

 private:
  bool is_free(std::uint32_t buffer) const noexcept {
    return BufferWord{core_.word(buffer).load(relaxed)}.state() == BufferState::free;
  }

  PoolCore& core_;
  std::uint32_t at_;
  const std::uint32_t end_;
};

enum class Served { yes, gave_up, taken_by_another };

// Whom another one was about to give a buffer, and was killed. False: that one does not wait any more, or has left it.
bool waits_again(PoolCore& core, Waiter& waiter) noexcept {
  if (!waiter.request.is_given()) return true;
  std::uint64_t cut_off = waiter.request.word;
  waiter.request = Request::waits(waiter.ticket);
  return core.slot(waiter.slot)
      .request.compare_exchange_strong(cut_off, waiter.request.word, std::memory_order_acq_rel, relaxed);
}

// The request of one who gave up what he was about to be given. Whoever ends it has the buffer, if that is the waiter's by
// its word.
bool end_left(layout::Word& request, std::uint32_t buffer) noexcept {
  std::uint64_t left = Request::left(buffer).word;
  return request.compare_exchange_strong(left, 0, std::memory_order_acq_rel, relaxed);
}

// The same for who frees it: until that is done the request says so, and its owner leaves it alone.
bool begin_to_free(layout::Word& request, std::uint32_t buffer) noexcept {
  Request left = Request::left(buffer);
  return request.compare_exchange_strong(left.word, left.being_freed().word, std::memory_order_acq_rel, relaxed);
}

// To one who waits. The buffer was seen to be free behind his request: so it is none that he took meanwhile without it, and
// has while he waits for another one.
Served hand_over(PoolCore& core, std::uint32_t buffer, const Waiter& waiter) noexcept {
  layout::Word& request = core.slot(waiter.slot).request;
  SAPBUF_KILL_POINT(serve_found);
  std::uint64_t asked = waiter.request.word;
  if (!request.compare_exchange_strong(asked, Request::given(buffer).word, std::memory_order_acq_rel, relaxed)) {
    return Served::gave_up;
  }
  SAPBUF_KILL_POINT(serve_given);
  if (!take_buffer(core, buffer, waiter.slot)) {
    // It may leave that meanwhile, and wait for it again.
    for (int tried = 0; tried < kMostChanges && !end_left(request, buffer); ++tried) {
      std::uint64_t promised = Request::given(buffer).word;
      if (request.compare_exchange_strong(promised, waiter.request.word, std::memory_order_acq_rel, relaxed)) {
        return Served::taken_by_another;
      }
    }
    return Served::gave_up;
  }
  SAPBUF_KILL_POINT(serve_handed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // leave (SB): behind the buffer's word
  if (begin_to_free(request, buffer)) {
    free_buffer(core, buffer);
    request.store(0, std::memory_order_release);
    return Served::gave_up;
  }
  core.since(buffer).store(core.now_ms(), relaxed);
  core.note_out(1);
  notify(core.slot(waiter.slot).served);
  return Served::yes;
}

// Nobody has a request of those that were there when this was `seen`. request (SB): see PoolControl::waiting.
void say_that_nobody_waits(PoolCore& core, std::uint64_t seen) noexcept {
  core.control().waiting.compare_exchange_strong(seen, 0, std::memory_order_seq_cst);
}

void tell_listeners(const PoolCore& core) noexcept {
  for_each_participant(core, [&](std::uint32_t index, layout::SlotRegistration) {
    layout::PoolSlot& slot = core.slot(index);
    Request request{slot.request.load(std::memory_order_acquire)};
    if (!request.is_listening()) return;
    notify(slot.served);
    SAPBUF_KILL_POINT(pool_told);
    slot.request.compare_exchange_strong(request.word, 0, std::memory_order_acq_rel, relaxed);
  });
}

// And those who listen. False: nobody waits.
bool wake_waiters(const PoolCore& core) noexcept {
  Waiter waiter = next_waiter(core, 0);
  const bool any = waiter.slot != kNone;
  for (; waiter.slot != kNone; waiter = next_waiter(core, waiter.ticket)) notify(core.slot(waiter.slot).served);
  tell_listeners(core);
  return any;
}

}  // namespace

bool was_given(const PoolCore& core, std::uint32_t slot, layout::Request request) noexcept {
  return request.is_given() && is_local(core, slot, request.index());
}

void leave(layout::PoolSlot& slot, Request given) noexcept {
  const Request left = Request::left(given.index());
  slot.request.compare_exchange_strong(given.word, left.word, std::memory_order_acq_rel, relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // leave (SB): before the look at the buffer's word
}

bool take_left(PoolCore& core, std::uint32_t slot, Request left) noexcept {
  return is_local(core, slot, left.index()) && end_left(core.slot(slot).request, left.index());
}

bool wait_for_left(layout::PoolSlot& slot) noexcept {
  const Request seen{slot.request.load(relaxed)};
  std::uint64_t left = Request::left(seen.index()).word;
  return seen.is_left() && slot.request.compare_exchange_strong(left, Request::given(seen.index()).word,
                                                                std::memory_order_acq_rel, relaxed);
}

bool end_cut_off(PoolCore& core) noexcept {
  bool freed = false;
  for_each_participant(core, [&](std::uint32_t slot, layout::SlotRegistration) {
    const Request left{core.slot(slot).request.load(std::memory_order_acquire)};
    if (!left.is_left()) return;
    layout::Word& request = core.slot(slot).request;
    if (!left.is_being_freed() && !begin_to_free(request, left.index())) return;
    if (is_local(core, slot, left.index())) {
      core.note_back(1);
      free_buffer(core, left.index());
      freed = true;
    }
    request.store(0, std::memory_order_release);
  });
  return freed;
}

void serve_waiters(PoolCore& core, std::uint32_t freed, std::uint32_t own) noexcept {
  const std::uint64_t seen = core.control().waiting.load(std::memory_order_seq_cst);
  if (core.has_classes()) {
    if (!wake_waiters(core)) say_that_nobody_waits(core, seen);
    return;
  }
  end_cut_off(core);
  FreeBuffers free{core, freed};
  Waiter waiter = next_waiter(core, 0);
  while (waiter.slot != kNone) {
    Served served = Served::gave_up;
    if (waits_again(core, waiter)) {
      const std::uint32_t buffer = free.next(waiter.slot);
      if (buffer == kNone) break;
      served = hand_over(core, buffer, waiter);
      if (served == Served::gave_up) free.keep(buffer);
    }
    if (served != Served::taken_by_another) waiter = next_waiter(core, waiter.ticket);
  }
  if (waiter.slot != kNone) {
    if (waiter.slot != own) notify(core.slot(waiter.slot).served);
    return;
  }
  say_that_nobody_waits(core, seen);
}

bool serve_waiters_soon(PoolCore& core, std::uint32_t freed, std::uint32_t own) noexcept {
  const platform::Uncancellable to_its_end;
  const MaintenanceLock lock{core, kPatience};
  if (lock) serve_waiters(core, freed, own);
  return static_cast<bool>(lock);
}

void serve_behind_release(PoolCore& core, std::uint32_t freed) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // request (SB): behind the buffer's word
  if (!somebody_waits(core)) return;
  if (core.has_classes() && wake_waiters(core)) return;
  // Who has the lock may be stopped: then those who wait take for themselves.
  if (!serve_waiters_soon(core, freed)) wake_waiters(core);
}

Turn turn_of(const PoolCore& core, std::uint32_t slot, std::uint32_t size_class) noexcept {
  const Request own{core.slot(slot).request.load(relaxed)};
  const std::uint64_t ticket = own.is_waiting() ? own.ticket() : ~std::uint64_t{0};
  Turn turn = Turn::first;
  std::optional<HeartbeatClock> clock;
  for (Waiter older = next_waiter(core, 0); older.slot != kNone && older.ticket < ticket;
       older = next_waiter(core, older.ticket)) {
    if (!clock) clock.emplace();
    if (clock->age_ns(core.segment().participant(older.slot)) > kMostSilentNs) continue;
    if (core.slot(older.slot).wanted_class.load(relaxed) == size_class) return Turn::not_yet;
    turn = Turn::in_its_class;
  }
  return turn;
}

void wake_oldest_waiter(PoolCore& core) noexcept {
  const Waiter waiter = next_waiter(core, 0);
  if (waiter.slot != kNone) notify(core.slot(waiter.slot).served);
  tell_listeners(core);
}

bool somebody_listens(const PoolCore& core) noexcept {
  bool any = false;
  for_each_participant(core, [&](std::uint32_t slot, layout::SlotRegistration) {
    any |= Request{core.slot(slot).request.load(std::memory_order_acquire)}.is_listening();
  });
  return any;
}

void wake_all_waiters(PoolCore& core) noexcept {
  for_each_participant(core, [&](std::uint32_t slot, layout::SlotRegistration) { notify(core.slot(slot).served); });
}

bool is_oldest_waiter(const PoolCore& core, std::uint32_t slot) noexcept { return next_waiter(core, 0).slot == slot; }

}  // namespace SAPBUF_DETAIL
