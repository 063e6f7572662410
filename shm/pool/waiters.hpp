// Those who wait for a buffer, served in the order in which they came.
//
// Whoever waits says so in its slot, with a ticket; says in the pool's control that somebody waits; raises everybody's
// attention; and makes the heavy fence. From then on nobody puts a free buffer into a magazine, nor takes one past those
// who wait. Buffers that become free are handed out under the pool's lock, to the oldest first:
//
//   who serves                                     who waits
//   1. its request: waits -> given(buffer)         sees given(buffer); the word says that it is its own: it has it
//   2. the buffer's word: free -> its own            else, under the lock, it says so, or the hand-over was cut off, and
//   3. wakes it                                      it still waits, with its ticket
//
//   killed between 1 and 2    a request that says what the word does not: see the right side; who serves next sees it, too
//   killed between 2 and 3    the one who waits looks by itself, every few milliseconds
//   who waits is killed       its request is cleared by recovery, and what it was given is freed like all that it had
//   who waits gives up        waits -> none; if that fails it was given one, and has it
#pragma once

#include "pool/pool_core.hpp"

namespace sapbuf::detail {

inline constexpr std::uint32_t kAnyFree = ~std::uint32_t{0};

inline bool somebody_waits(const PoolCore& core) noexcept {
  return core.control().waiting.load(std::memory_order_relaxed) != 0;
}

// Whether what the request of this slot's user says is so.
bool was_given(const PoolCore& core, std::uint32_t slot, layout::Request request) noexcept;
// Hands out `freed`, or all that is free; wakes the oldest one who got nothing, for it to look further. Under the pool's
// lock.
void serve_waiters(PoolCore& core, std::uint32_t freed) noexcept;
// The same for those who do not have the lock. False if it was not to be had.
bool serve_waiters_soon(PoolCore& core, std::uint32_t freed) noexcept;
// The same behind the release of a buffer, if anybody waits.
void serve_behind_release(PoolCore& core, std::uint32_t freed) noexcept;
// There may be something for a scan.
void wake_oldest_waiter(PoolCore& core) noexcept;
void wake_all_waiters(PoolCore& core) noexcept;
// Whether nobody waits for longer than the user of this slot.
bool is_oldest_waiter(const PoolCore& core, std::uint32_t slot) noexcept;

}  // namespace sapbuf::detail
