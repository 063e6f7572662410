#include "queue/returned.hpp"

#include <algorithm>
#include <bit>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "queue/lanes.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BlockState;
using layout::BlockWord;

constexpr auto relaxed = std::memory_order_relaxed;

void lower_look_at(QueueCore& queue, std::uint32_t group, std::uint64_t to) noexcept {
  layout::Word& look_at = queue.group(group).look_at;
  std::uint64_t seen = look_at.load(relaxed);
  while ((seen == 0 || seen > to) && !look_at.compare_exchange_weak(seen, to, std::memory_order_seq_cst, relaxed)) {
  }
}

std::uint64_t when_to_look(std::uint64_t due_ms) noexcept { return std::max<std::uint64_t>(due_ms, 1); }

// returned (SB): see returned.hpp.
void give_up_bit(QueueCore& queue, std::uint32_t block, std::uint32_t group) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << block % 64;
  queue.bits(block / 64, group).fetch_and(~bit, std::memory_order_seq_cst);
  SAPBUF_KILL_POINT(queue_bit_gone);
  const BlockWord seen{queue.state(block, group).load(std::memory_order_seq_cst)};
  if (seen.state() == BlockState::returned) show_returned(queue, block, group);
}

// Calls `visit(block, word)` for each block that is returned, and gives up the bits that lead to none.
template <typename Visit>
void for_each_returned(QueueCore& queue, std::uint32_t group, Visit visit) noexcept {
  for (std::uint64_t number = 0; number < queue.geometry().bit_words; ++number) {
    std::uint64_t set = queue.bits(number, group).load(std::memory_order_acquire);
    for (; set != 0; set &= set - 1) {
      const auto block = static_cast<std::uint32_t>(number * 64) + static_cast<std::uint32_t>(std::countr_zero(set));
      if (block >= queue.geometry().blocks) continue;
      // queue-done: acquire.
      const BlockWord seen{queue.state(block, group).load(std::memory_order_acquire)};
      if (seen.state() != BlockState::returned) {
        give_up_bit(queue, block, group);
        continue;
      }
      visit(block, seen);
    }
  }
}

// Nothing was due: when to look again.
void settle_look_at(QueueCore& queue, std::uint32_t group) noexcept {
  queue.group(group).look_at.store(0, std::memory_order_seq_cst);
  SAPBUF_KILL_POINT(queue_looked_away);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::uint64_t earliest = 0;
  for_each_returned(queue, group, [&](std::uint32_t block, BlockWord) {
    const std::uint64_t due = when_to_look(queue.due(block, group).load(relaxed));
    if (earliest == 0 || due < earliest) earliest = due;
  });
  if (earliest != 0) lower_look_at(queue, group, earliest);
}

}  // namespace

std::uint64_t now_in_ms() noexcept { return platform::coarse_monotonic_ns() / 1'000'000; }

void give_back(QueueCore& queue, std::uint32_t block, std::uint32_t group, BlockWord held,
               std::uint64_t due_ms) noexcept {
  queue.due(block, group).store(due_ms, relaxed);
  SAPBUF_KILL_POINT(queue_giving_back);
  if (const std::uint32_t lane = lane_of(queue, block); lane != kNoLane) {
    say_waiting(queue, group, block, held, lane);
    if (due_ms == kNotDelayed) hurry(queue, group, lane);  // a dead letter's, which nobody has claimed
    return;
  }
  queue.state(block, group).store(held.with(BlockState::returned).word, std::memory_order_release);
  SAPBUF_KILL_POINT(queue_returned);
  show_returned(queue, block, group);
}

void show_returned(QueueCore& queue, std::uint32_t block, std::uint32_t group) noexcept {
  queue.bits(block / 64, group).fetch_or(std::uint64_t{1} << block % 64, std::memory_order_seq_cst);
  SAPBUF_KILL_POINT(queue_bit_set);
  lower_look_at(queue, group, when_to_look(queue.due(block, group).load(relaxed)));
}

std::size_t find_returned(QueueCore& queue, std::uint32_t group, std::span<Returned> found) noexcept {
  const std::uint64_t now = now_in_ms();
  std::size_t count = 0;
  for_each_returned(queue, group, [&](std::uint32_t block, BlockWord seen) {
    if (queue.due(block, group).load(relaxed) > now) return;
    const auto is_older = [](const Returned& a, const Returned& b) {
      return layout::distance(a.seen.position(), b.seen.position()) < 0;
    };
    const Returned one{block, seen};
    if (count == found.size()) {
      if (!is_older(one, found[count - 1])) return;
    } else {
      ++count;
    }
    const auto place =
        std::upper_bound(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count) - 1, one, is_older);
    std::move_backward(place, found.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                       found.begin() + static_cast<std::ptrdiff_t>(count));
    *place = one;
  });
  if (count == 0) settle_look_at(queue, group);
  return count;
}

void forget_returned(QueueCore& queue, std::uint32_t block, std::uint32_t group) noexcept {
  queue.bits(block / 64, group).fetch_and(~(std::uint64_t{1} << block % 64), relaxed);
}

}  // namespace SAPBUF_DETAIL
