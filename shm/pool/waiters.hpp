// Those who wait for a buffer, served in the order in which they came.
//
// Whoever waits says so in its slot, with a ticket; says in the pool's control that somebody waits; raises everybody's
// attention; and makes the heavy fence. From then on nobody puts a free buffer into a magazine, nor takes one past
// those who wait. Buffers that become free are handed out under the pool's lock, to the oldest first:
//
//   who serves                                     who waits
//   1. a free buffer; its request:
//      waits(ticket) -> given(buffer)              sees given(buffer); the word says that it is its own: it has it
//   2. the buffer's word: free -> its own            else, under the lock, it says so, or the hand-over was cut off, and
//   3. wakes it                                      it still waits, with its ticket
//
//   stopped before 1          the one who waits takes for himself, and may ask anew: that is another ticket
//   killed between 1 and 2    a request that says what the word does not: see the right side; who serves next sees it, too
//   killed between 2 and 3    the one who waits looks by itself, every few milliseconds; one with a descriptor is woken by
//                             recovery, as all are
//   stopped with the lock     who releases cannot serve, and wakes all who wait: they take for themselves
//   who waits is killed       its request is cleared by recovery, and what it was given is freed like all that it had
//   who waits gives up        waits -> none; if that fails it was given one, and has it, if the word says so. Else who serves is
//                             between 1 and 2, or was killed there: given -> left. It takes for itself from then on, and never
//                             that buffer
//   who serves, behind 2      left -> left, and being freed; the buffer is free, for the next one; none. The one who gave up looks at
//                             the word behind his step, and does left -> none: then he has the buffer
//   killed before that, or    whoever has the lock next ends what was left, and frees the buffer if it is his still who left it
//   between its steps
//   waits again meanwhile     left -> given: as if it had not given up
//
// In a pool with size classes nobody hands anything out: see turn_of(). There, a user with a descriptor listens instead of
// waiting: it keeps nobody from anything, for it may take its time. Who tells it wakes it first, and then strikes out what it
// asked; killed in between, it is told again by the next one.
#pragma once

#include <algorithm>

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

inline constexpr std::uint32_t kAnyFree = ~std::uint32_t{0};
inline constexpr std::uint32_t kNobody = ~std::uint32_t{0};  // of the slots

// A wait looks again by itself, for it may be for the dead, or for what nobody tells of, and a flag may end it: soon in
// the beginning, and less often the longer it has lasted.
constexpr std::uint64_t nap_after(std::uint64_t waited_ns) noexcept {
  return std::clamp<std::uint64_t>(waited_ns / 4, 2'000'000, 16'000'000);
}
// For which it is left to the oldest one to make room.
inline constexpr std::uint64_t kOthersNs = 20'000'000;

inline bool somebody_waits(const PoolCore& core) noexcept {
  return core.control().waiting.load(std::memory_order_relaxed) != 0;
}

// Whether what the request of this slot's user says is so.
bool was_given(const PoolCore& core, std::uint32_t slot, layout::Request request) noexcept;
// Of one who gives up, if the request still says that somebody is about to give it this one.
void leave(layout::PoolSlot& slot, layout::Request given) noexcept;
// Whether what it left is its own after all: then nothing is left.
bool take_left(PoolCore& core, std::uint32_t slot, layout::Request left) noexcept;
// It waits for what it left. False: whoever was about to give that knows that it gave up.
bool wait_for_left(layout::PoolSlot& slot) noexcept;
// Under the pool's lock: ends what those left who gave up, and nobody is about to give any more. Whether a buffer is free
// by that.
bool end_cut_off(PoolCore& core) noexcept;
// Hands out `freed`, or all that is free; wakes the oldest one who got nothing, for it to look further, unless that is
// the caller, of slot `own`. Under the pool's lock.
void serve_waiters(PoolCore& core, std::uint32_t freed, std::uint32_t own = kNobody) noexcept;
// The same for those who do not have the lock. False if it was not to be had.
bool serve_waiters_soon(PoolCore& core, std::uint32_t freed, std::uint32_t own = kNobody) noexcept;
// The same behind the release of a buffer, if anybody waits.
void serve_behind_release(PoolCore& core, std::uint32_t freed) noexcept;
// There may be something for a scan.
void wake_oldest_waiter(PoolCore& core) noexcept;
bool somebody_listens(const PoolCore& core) noexcept;
void wake_all_waiters(PoolCore& core) noexcept;
// With size classes, whoever waits takes what he wants by himself, when it is his turn: the oldest one anything,
// everybody else what is free in the blocks of his class, if nobody waits for that one before him. One who gives no sign of
// life is passed over: he may be stopped, and takes what he finds when he goes on.
enum class Turn { first, in_its_class, not_yet };
inline constexpr std::uint32_t kNoClass = ~std::uint32_t{0};  // that anybody waits for: a run
// Of the user of this slot, who may be waiting himself.
Turn turn_of(const PoolCore& core, std::uint32_t slot, std::uint32_t size_class) noexcept;
// Whether nobody waits for longer than the user of this slot.
bool is_oldest_waiter(const PoolCore& core, std::uint32_t slot) noexcept;

}  // namespace SAPBUF_DETAIL
