// What the participants of a queue keep, and what is made of it when they die, or leave. Under the queue's lock; each
// step may be repeated.
//
//   what it was about to pass on        ended, or undone (pass.cpp)
//   what left the queue by it           counted
//   what a consumer held                returned, before anything newer, or a dead letter
//   what a producer was about to release, and stands in no slot        nobody's: the pool frees its buffer
//   bits of blocks that are returned    set, whoever left that undone
//   lanes that it has claimed           free, behind what it held
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/figures.hpp"
#include "pool/hand_over.hpp"
#include "queue/dead_letters.hpp"
#include "queue/figures.hpp"
#include "queue/lanes.hpp"
#include "queue/leaving.hpp"
#include "queue/pass.hpp"
#include "queue/returned.hpp"
#include "queue/ring.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BlockState;
using layout::BlockWord;
using layout::Root;

// Calls `visit(block, group, word)` for each block that is somebody's, or waits.
template <typename Visit>
void for_each_state(const QueueCore& queue, Visit visit) {
  for (std::uint32_t block = 0; block < queue.geometry().blocks; ++block) {
    for (std::uint32_t group = 0; group < queue.geometry().groups; ++group) {
      const BlockWord seen{queue.state(block, group).load(std::memory_order_acquire)};
      if (!seen.is_none()) visit(block, group, seen);
    }
  }
}

void return_one(QueueCore& queue, std::uint32_t block, std::uint32_t group, BlockWord held, std::uint32_t index) {
  const bool died = queue.registration_of(index).state() == layout::SlotState::attached;
  note_delivery(queue, block, group, held, index, died ? HowEnded::died : HowEnded::put_back);
  count_figure(queue.slot(index).put_back);
  if (is_dead_letter(queue, held)) {
    bury(queue, block, group, held, index);
  } else {
    give_back(queue, block, group, held, kNotDelayed);
  }
}

void let_go_of_unreleased(QueueCore& queue, std::uint32_t block, std::uint32_t group, BlockWord queued) noexcept {
  if (is_in_ring(queue, block, queued)) return;
  // Another producer may have got the buffer by now, and be about to release it.
  std::uint64_t seen = queued.word;
  queue.state(block, group).compare_exchange_strong(seen, 0, std::memory_order_acq_rel, std::memory_order_relaxed);
  SAPBUF_KILL_POINT(queue_unsaid);
}

}  // namespace

void QueueCore::find_holdings(std::uint32_t index, std::vector<std::uint64_t>& blocks) {
  for_each_state(*this, [&](std::uint32_t block, std::uint32_t, BlockWord seen) {
    if (seen.is_held_by(index)) blocks.push_back(std::uint64_t{block} + 1);
  });
}

std::uint64_t QueueCore::bytes_of(std::span<const std::uint64_t> blocks) const noexcept {
  std::uint64_t bytes = 0;
  for (const std::uint64_t number : blocks) {
    if (number == 0 || number > geometry_.blocks) continue;
    const layout::AboutBlock about{entry(static_cast<std::uint32_t>(number - 1)).about.load(std::memory_order_relaxed)};
    bytes += about.length();
  }
  return bytes;
}

// What a consumer has, others wait for.
bool QueueCore::is_in_the_way(std::uint32_t index, layout::SlotRegistration) {
  std::vector<std::uint64_t> blocks;
  find_holdings(index, blocks);
  return !blocks.empty() || has_claims(*this, index);
}

bool QueueCore::repair(std::uint32_t index, RepairTally& tally) {
  if (!settle_pass(*this, index)) return false;
  count_left(*this, index);
  for_each_state(*this, [&](std::uint32_t block, std::uint32_t group, BlockWord seen) {
    if (seen.is_held_by(index)) {
      return_one(*this, block, group, seen, index);
      tally.repairs += 1;
    } else if (seen.state() == BlockState::queued && seen.owner() == index) {
      let_go_of_unreleased(*this, block, group, seen);
    } else if (seen.state() == BlockState::returned) {
      show_returned(*this, block, group);
    }
  });
  settle_lanes(*this, index);
  return true;
}

void QueueCore::release(std::uint32_t index) noexcept { add_to_departed(*this, index); }

// All of them are returned.
std::uint32_t QueueCore::count_released(std::span<const std::uint64_t> blocks, std::span<const std::uint32_t> gone) {
  std::uint32_t released = 0;
  for (const std::uint64_t number : blocks) {
    bool is_held = false;
    for (std::uint32_t group = 0; number != 0 && number <= geometry_.blocks && group < geometry_.groups; ++group) {
      const BlockWord seen{state(static_cast<std::uint32_t>(number - 1), group).load(std::memory_order_acquire)};
      const bool by_others = std::find(gone.begin(), gone.end(), seen.owner()) == gone.end();
      is_held = is_held || (seen.state() == BlockState::held && by_others);
    }
    if (!is_held) ++released;
  }
  return released;
}

// A block's root stays where it is for as long as the queue has the block, and goes to another queue with the buffer's
// next incarnation only: so no look can miss it.
void QueueCore::collect_roots(layout::FacilityId pool, std::vector<std::uint64_t>& roots) {
  if (pool != pool_id()) return;
  for (std::uint32_t block = 0; block < geometry_.blocks; ++block) {
    // pool-free: acquire, so that the last use of a block that is none's is behind us.
    if (is_none(block)) continue;
    const Root root{entry(block).root.load(std::memory_order_acquire)};
    if (!root.is_none()) roots.push_back(root.word);
  }
}

}  // namespace SAPBUF_DETAIL
