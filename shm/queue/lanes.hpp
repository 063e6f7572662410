// Keys: blocks of one key are worked on one after the other, in order, whoever the consumers are. Keys share lanes, by
// their hash; who has a block of a lane has claimed that lane, until the block is done with, put back, or passed on. A
// block whose lane is claimed waits beside the ring, and is in nobody's way. A bit for each block leads to those that
// wait, and a bit for each lane, `has`, says that it has some.
//
//   who comes to a block in the ring       who takes from a lane                    who ends a claim
//   1. claims its lane: compare-exchange   1. all positions that left the ring      1. the block's word: none; or, if it is
//   2. has = 0: the block is held,            are passed by                            put back: its bit, has, word = waiting
//      compare-exchange                    2. claims the lane: compare-exchange     2. the lane is free
//   otherwise                              3. the oldest that waits: held,          3. has? then who sleeps is woken
//   1. the block's bit                        compare-exchange; its bit goes
//   2. has                                 who finds none
//   3. word: queued -> waiting,            1. has = 0
//      compare-exchange                    2. bits once more: if any is of a
//   4. passed by                              block of the lane, has = 1
//                                          3. the lane is free
//
// Positions leave the ring in their order: nobody passes one by that is queued still. Bit and `has` are set before. So a
// consumer that has claimed a lane, and has passed by all positions before a block, sees all older blocks of the lane: none
// is in the ring, none is held, and those that wait have their bits. A block's bit goes by the consumer that holds it,
// and by nobody else; `has` by who has claimed the lane.
//
// A dead letter that is handed out again, and what comes beside a full ring, waits without a claim. It may be older than what
// its lane is about to wait for: so the lane is due now, or, if it is claimed, will be when that ends.
//
//   killed with a claim   recovery: what the dead one held waits again; `has` of all blocks with bits; then the claim goes
#pragma once

#include <bit>
#include <optional>

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

inline constexpr std::uint32_t kNoLane = ~std::uint32_t{0};

std::uint32_t lane_of_key(const QueueCore& queue, std::uint64_t key) noexcept;
// Of a block whose word says that it is somebody's; kNoLane if it has no key, or the queue no lanes. May be another
// message's if the word changes meanwhile.
std::uint32_t lane_of(const QueueCore& queue, std::uint32_t block) noexcept;

bool is_free_now(const QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept;
bool lane_has_something(const QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept;
// False: somebody has it, or what comes next is not due.
bool claim_lane(QueueCore& queue, std::uint32_t group, std::uint32_t lane, std::uint32_t consumer) noexcept;
// `due_ms`: when what comes next is due, as far as that is known; now, where somebody was in a hurry.
void release_lane(QueueCore& queue, std::uint32_t group, std::uint32_t lane, std::uint64_t due_ms) noexcept;
// Behind the word of one that waits, and is older than what the lane may be waiting for.
void hurry(QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept;

// Of a block that is queued, by the word that was seen.
void park(QueueCore& queue, std::uint32_t group, std::uint32_t block, layout::BlockWord seen,
          std::uint32_t lane) noexcept;
// Of a block that is the caller's, or a dead one's.
void say_waiting(QueueCore& queue, std::uint32_t group, std::uint32_t block, layout::BlockWord before,
                 std::uint32_t lane) noexcept;

struct Waiting {
  std::uint32_t block = 0;
  layout::BlockWord seen;
};
std::optional<Waiting> find_oldest(const QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept;
// Behind the claim, where none was found.
void settle_has(QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept;
// Of a block that the caller holds.
void forget_waiting(QueueCore& queue, std::uint32_t group, std::uint32_t block) noexcept;

// Recovery, behind what the dead one held: `has`, who is to be hurried, and its claims.
void settle_lanes(QueueCore& queue, std::uint32_t owner) noexcept;
bool has_claims(const QueueCore& queue, std::uint32_t owner) noexcept;

// Calls `visit(lane)` for each lane that has something, from `first` on and around, until one returns true. Whether one
// did.
template <typename Visit>
bool any_lane(const QueueCore& queue, std::uint32_t group, std::uint32_t first, Visit visit) noexcept {
  const std::uint64_t words = queue.geometry().lane_words;
  const std::uint64_t below = (std::uint64_t{1} << first % 64) - 1;
  for (std::uint64_t i = 0; i <= words; ++i) {
    const std::uint64_t number = (first / 64 + i) % words;
    std::uint64_t set = queue.lane_bits(number, group).load(std::memory_order_acquire);
    if (i == 0) set &= ~below;
    if (i == words) set &= below;
    for (; set != 0; set &= set - 1) {
      const std::uint64_t lane = number * 64 + static_cast<std::uint64_t>(std::countr_zero(set));
      if (lane < queue.geometry().lanes && visit(static_cast<std::uint32_t>(lane))) return true;
    }
  }
  return false;
}

}  // namespace SAPBUF_DETAIL
