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
using layout::LookAt;

constexpr auto relaxed = std::memory_order_relaxed;

// returned: release, behind word and bit. Also where it is low enough: somebody may be about to raise it.
void lower_look_at(QueueCore& queue, std::uint32_t group, std::uint64_t to_ms) noexcept {
  layout::Word& look_at = queue.group(group).look_at;
  LookAt seen{look_at.load(relaxed)};
  while (!look_at.compare_exchange_weak(seen.word, seen.lowered_to(to_ms).word, std::memory_order_seq_cst, relaxed)) {
  }
}

std::uint64_t when_to_look(std::uint64_t due_ms) noexcept { return std::max<std::uint64_t>(due_ms, 1); }

// Calls `visit(block, word)` for each block that is returned.
template <typename Visit>
void for_each_returned(const QueueCore& queue, std::uint32_t group, Visit visit) noexcept {
  for (std::uint64_t number = 0; number < queue.geometry().bit_words; ++number) {
    std::uint64_t set = queue.bits(number, group).load(std::memory_order_acquire);
    for (; set != 0; set &= set - 1) {
      const auto block = static_cast<std::uint32_t>(number * 64) + static_cast<std::uint32_t>(std::countr_zero(set));
      if (block >= queue.geometry().blocks) continue;
      // queue-done: acquire.
      const BlockWord seen{queue.state(block, group).load(std::memory_order_acquire)};
      if (seen.state() == BlockState::returned) visit(block, seen);
    }
  }
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
  layout::Word& look_at = queue.group(group).look_at;
  std::uint64_t before = look_at.load(std::memory_order_acquire);  // returned: before bits and words
  std::uint64_t next_ms = 0;
  std::size_t count = 0;
  for_each_returned(queue, group, [&](std::uint32_t block, BlockWord seen) {
    if (const std::uint64_t due = queue.due(block, group).load(relaxed); due > now) {
      next_ms = next_ms == 0 ? due : std::min(next_ms, due);
      return;
    }
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
  if (count != 0) return count;
  SAPBUF_KILL_POINT(queue_looked_away);
  // Not if somebody put back meanwhile: then the next look tells.
  const LookAt later = LookAt::make(next_ms, LookAt{before}.changes());
  look_at.compare_exchange_strong(before, later.word, std::memory_order_acq_rel, relaxed);
  return 0;
}

void forget_returned(QueueCore& queue, std::uint32_t block, std::uint32_t group) noexcept {
  queue.bits(block / 64, group).fetch_and(~(std::uint64_t{1} << block % 64), relaxed);
  SAPBUF_KILL_POINT(queue_bit_gone);
}

}  // namespace SAPBUF_DETAIL
