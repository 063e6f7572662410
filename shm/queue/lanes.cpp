#include "queue/lanes.hpp"

#include <bit>

#include <sapbuf/detail/kill_point.hpp>

#include "queue/returned.hpp"
#include "segment/event.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BlockState;
using layout::BlockWord;
using layout::LaneWord;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto seq_cst = std::memory_order_seq_cst;

constexpr std::uint64_t bit_of(std::uint64_t number) noexcept { return std::uint64_t{1} << number % 64; }

void set_has(QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept {
  queue.lane_bits(lane / 64, group).fetch_or(bit_of(lane), seq_cst);
}

// Before the block's word says that it waits.
void announce(QueueCore& queue, std::uint32_t group, std::uint32_t block, std::uint32_t lane) noexcept {
  queue.waiting_bits(block / 64, group).fetch_or(bit_of(block), seq_cst);
  SAPBUF_KILL_POINT(queue_waiting_said);
  set_has(queue, group, lane);
  SAPBUF_KILL_POINT(queue_lane_said);
}

// Calls `visit(block, word)` for each block that has a bit, and waits, or may be about to.
template <typename Visit>
void for_each_announced(const QueueCore& queue, std::uint32_t group, Visit visit) noexcept {
  for (std::uint64_t number = 0; number < queue.geometry().bit_words; ++number) {
    std::uint64_t set = queue.waiting_bits(number, group).load(acquire);
    for (; set != 0; set &= set - 1) {
      const auto block = static_cast<std::uint32_t>(number * 64 + static_cast<std::uint64_t>(std::countr_zero(set)));
      if (block >= queue.geometry().blocks) continue;
      // queue-done: acquire, before the key.
      const BlockWord seen{queue.state(block, group).load(acquire)};
      if (!seen.is_none() && seen.state() != BlockState::dead) visit(block, seen);
    }
  }
}

// What came beside the ring is before what was released at the same position.
bool is_older(const QueueCore& queue, const Waiting& a, const Waiting& b) noexcept {
  const std::int64_t behind = layout::distance(a.seen.position(), b.seen.position());
  if (behind != 0) return behind < 0;
  return queue.order(a.block).load(relaxed) - 1 < queue.order(b.block).load(relaxed) - 1;  // 0: in the ring
}

}  // namespace

std::uint32_t lane_of_key(const QueueCore& queue, std::uint64_t key) noexcept {
  // The finalizer of MurmurHash3 (Austin Appleby, public domain): all bits of the key change those below.
  key = (key ^ key >> 33) * 0xff51afd7ed558ccdu;
  key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53u;
  return static_cast<std::uint32_t>((key ^ key >> 33) & (queue.geometry().lanes - 1));
}

std::uint32_t lane_of(const QueueCore& queue, std::uint32_t block) noexcept {
  const layout::QueueEntry& entry = queue.entry(block);
  if (queue.geometry().lanes == 0 || !layout::AboutBlock{entry.about.load(relaxed)}.has_key()) return kNoLane;
  return lane_of_key(queue, entry.key.load(relaxed));
}

bool is_free_now(const QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept {
  const LaneWord seen{queue.lane(lane, group).load(seq_cst)};
  return seen.is_free() && (seen.due_ms() == 0 || seen.due_ms() <= now_in_ms());
}

bool lane_has_something(const QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept {
  return (queue.lane_bits(lane / 64, group).load(seq_cst) & bit_of(lane)) != 0;
}

bool claim_lane(QueueCore& queue, std::uint32_t group, std::uint32_t lane, std::uint32_t consumer) noexcept {
  LaneWord seen{queue.lane(lane, group).load(relaxed)};
  if (!seen.is_free() || (seen.due_ms() != 0 && seen.due_ms() > now_in_ms())) return false;
  // lane: acquire, before `has`, bits and words.
  const bool is_claimed =
      queue.lane(lane, group).compare_exchange_strong(seen.word, LaneWord::claimed_by(consumer).word, seq_cst, relaxed);
  SAPBUF_KILL_POINT(queue_lane_claimed);
  return is_claimed;
}

void release_lane(QueueCore& queue, std::uint32_t group, std::uint32_t lane, std::uint64_t due_ms) noexcept {
  SAPBUF_KILL_POINT(queue_lane_leaving);
  // lane: release, behind the block's word;  seq_cst: before the look at `has`, which is set before the look at the lane.
  LaneWord seen{queue.lane(lane, group).load(relaxed)};
  LaneWord next;
  do {
    next = LaneWord::free_until(seen.is_hurried() ? 0 : due_ms);
  } while (!queue.lane(lane, group).compare_exchange_weak(seen.word, next.word, seq_cst, relaxed));
  SAPBUF_KILL_POINT(queue_lane_left);
  if (lane_has_something(queue, group, lane)) notify(queue.group(group).filled);
}

void hurry(QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept {
  LaneWord seen{queue.lane(lane, group).load(seq_cst)};
  while (seen.hurried().word != seen.word &&
         !queue.lane(lane, group).compare_exchange_weak(seen.word, seen.hurried().word, seq_cst, seq_cst)) {
  }
}

void park(QueueCore& queue, std::uint32_t group, std::uint32_t block, BlockWord seen, std::uint32_t lane) noexcept {
  announce(queue, group, block, lane);
  std::uint64_t word = seen.word;
  queue.state(block, group).compare_exchange_strong(word, seen.with(BlockState::waiting).word, seq_cst, relaxed);
  SAPBUF_KILL_POINT(queue_parked);
}

void say_waiting(QueueCore& queue, std::uint32_t group, std::uint32_t block, BlockWord before,
                 std::uint32_t lane) noexcept {
  announce(queue, group, block, lane);
  queue.state(block, group).store(before.with(BlockState::waiting).word, seq_cst);
  SAPBUF_KILL_POINT(queue_waits);
}

std::optional<Waiting> find_oldest(const QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept {
  std::optional<Waiting> oldest;
  for_each_announced(queue, group, [&](std::uint32_t block, BlockWord seen) {
    if (seen.state() != BlockState::waiting || lane_of(queue, block) != lane) return;
    const Waiting found{block, seen};
    if (!oldest || is_older(queue, found, *oldest)) oldest = found;
  });
  return oldest;
}

void settle_has(QueueCore& queue, std::uint32_t group, std::uint32_t lane) noexcept {
  queue.lane_bits(lane / 64, group).fetch_and(~bit_of(lane), seq_cst);
  SAPBUF_KILL_POINT(queue_lane_unsaid);
  bool is_coming = false;
  for_each_announced(queue, group,
                     [&](std::uint32_t block, BlockWord) { is_coming = is_coming || lane_of(queue, block) == lane; });
  if (is_coming) set_has(queue, group, lane);
}

void forget_waiting(QueueCore& queue, std::uint32_t group, std::uint32_t block) noexcept {
  layout::Word& bits = queue.waiting_bits(block / 64, group);
  if ((bits.load(relaxed) & bit_of(block)) != 0) bits.fetch_and(~bit_of(block), seq_cst);
}

void settle_lanes(QueueCore& queue, std::uint32_t owner) noexcept {
  if (queue.geometry().lanes == 0) return;
  for (std::uint32_t group = 0; group < queue.geometry().groups; ++group) {
    for_each_announced(queue, group, [&](std::uint32_t block, BlockWord seen) {
      const std::uint32_t lane = lane_of(queue, block);
      if (lane == kNoLane) return;
      set_has(queue, group, lane);
      if (seen.state() == BlockState::waiting && queue.due(block, group).load(relaxed) == kNotDelayed) {
        hurry(queue, group, lane);
      }
    });
    for (std::uint32_t lane = 0; lane < queue.geometry().lanes; ++lane) {
      if (LaneWord{queue.lane(lane, group).load(acquire)}.is_claimed_by(owner)) release_lane(queue, group, lane, 0);
    }
  }
}

bool has_claims(const QueueCore& queue, std::uint32_t owner) noexcept {
  for (std::uint32_t group = 0; group < queue.geometry().groups; ++group) {
    for (std::uint32_t lane = 0; lane < queue.geometry().lanes; ++lane) {
      if (LaneWord{queue.lane(lane, group).load(acquire)}.is_claimed_by(owner)) return true;
    }
  }
  return false;
}

}  // namespace SAPBUF_DETAIL
