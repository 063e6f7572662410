#include "queue/pass.hpp"

#include <algorithm>
#include <optional>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/hand_over.hpp"
#include "queue/lanes.hpp"
#include "queue/leaving.hpp"
#include "queue/returned.hpp"
#include "queue/ring.hpp"
#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::AboutBlock;
using layout::BlockState;
using layout::BlockWord;
using layout::BufferWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;

std::shared_ptr<PoolCore> pool_of(QueueCore& queue) noexcept {
  try {
    return queue.pool();
  } catch (const std::exception&) {
    return nullptr;  // not there any more, or not to be opened here
  }
}

// Of the group that `from` has; the newest that the other queue has room for.
std::uint32_t copy_notes(QueueCore& from, QueueCore& to, std::uint32_t block, BlockWord held) noexcept {
  const std::uint32_t here = from.geometry().notes;
  const std::uint32_t there = to.geometry().notes;
  if (here == 0 || there == 0) return 0;
  const std::uint32_t written = AboutBlock{from.entry(block).about.load(relaxed)}.notes() + held.deliveries();
  const std::uint32_t count = std::min({written, here, there});
  for (std::uint32_t i = 0; i < count; ++i) {
    const layout::DeliveryNote& old = from.note(block, 0, (written - count + i) % here);
    for (std::uint32_t group = 0; group < to.geometry().groups; ++group) {
      layout::DeliveryNote& copy = to.note(block, group, i);
      copy.how.store(old.how.load(relaxed), relaxed);
      copy.at_ns.store(old.at_ns.load(relaxed), relaxed);
      for (std::size_t word = 0; word < std::size(old.name); ++word) {
        copy.name[word].store(old.name[word].load(relaxed), relaxed);
      }
    }
  }
  return count;
}

// Whether the block is on its way into `to`, by this participant of the other queue, and not there yet.
bool is_on_its_way(const QueueCore& to, std::uint32_t block, std::uint32_t group, std::uint32_t owner) noexcept {
  const BlockWord seen{to.state(block, group).load(std::memory_order_acquire)};
  if (seen.owner() != owner) return false;
  if (seen.state() == BlockState::passing) return true;
  if (seen.state() != BlockState::queued || is_in_ring(to, block, seen)) return false;
  // queue-release: the word behind the slot. That may have another block's next lap: then this one was there, and its word
  // says by now what became of it.
  return to.state(block, group).load(std::memory_order_acquire) == seen.word;
}

bool is_on_its_way(const QueueCore& to, std::uint32_t block, std::uint32_t owner) noexcept {
  if (block >= to.geometry().blocks) return false;
  for (std::uint32_t group = 0; group < to.geometry().groups; ++group) {
    if (is_on_its_way(to, block, group, owner)) return true;
  }
  return false;
}

// Somebody died while it was shown to one group after the other.
bool is_there_for_some(const QueueCore& to, std::uint32_t block, std::uint32_t owner) noexcept {
  for (std::uint32_t group = 0; group < to.geometry().groups; ++group) {
    if (!is_on_its_way(to, block, group, owner)) return true;
  }
  return false;
}

// As one that was put back, for all groups that do not have it yet.
void show_in_spite_of_full(QueueCore& to, std::uint32_t block, std::uint32_t owner, std::uint64_t position) noexcept {
  const std::uint64_t order = to.control().beside.fetch_add(1, relaxed) + 1;
  if (lane_of(to, block) != kNoLane) to.order(block).store(order, relaxed);
  const BlockWord returned = BlockWord::make(position, 0, 0, BlockState::returned);
  for (std::uint32_t group = 0; group < to.geometry().groups; ++group) {
    if (is_on_its_way(to, block, group, owner)) give_back(to, block, group, returned, kNotDelayed);
  }
}

// Step 5.
void release_there(QueueCore& to, std::uint32_t block, std::uint32_t owner) noexcept {
  std::uint64_t taken = taken_by_all(to);
  RingPlace place{.position = to.end()};
  if (lane_of(to, block) != kNoLane) to.order(block).store(0, relaxed);
  do {
    place = find_place(to, place.position, taken);
    if (is_there_for_some(to, block, owner)) place.is_full = true;  // a place in the ring would be for all groups
    if (place.is_full) break;
    say_queued(to, block, place.position, owner);
    SAPBUF_KILL_POINT(queue_said);
  } while (!fill_slot(to, place, block));
  if (place.is_full) {
    show_in_spite_of_full(to, block, owner, place.position);
  } else {
    raise(to.control().tail, layout::position_after(place.position, 1));
  }
  SAPBUF_KILL_POINT(queue_passed);
  for (std::uint32_t group = 0; group < to.geometry().groups; ++group) notify(to.group(group).filled);
}

}  // namespace

bool pass_on(QueueCore& from, std::uint32_t block, std::uint32_t owner, QueueCore& to, AboutBlock about) noexcept {
  const std::shared_ptr<PoolCore> pool = pool_of(from);
  const Root root{from.entry(block).root.load(relaxed)};
  if (pool == nullptr || root.is_none() || root.index() != block) return false;
  if (block >= to.geometry().blocks || block >= pool->geometry().max_count) return false;
  layout::QueueSlot& slot = from.slot(owner);
  slot.passing.store(block, relaxed);
  // pass: release.
  slot.passing_to.store(to.id().word, std::memory_order_release);
  SAPBUF_KILL_POINT(queue_passing);
  const BlockWord held{from.state(block, 0).load(relaxed)};
  const std::uint32_t notes = copy_notes(from, to, block, held);
  layout::QueueEntry& entry = to.entry(block);
  entry.about.store(AboutBlock::make(about.length(), about.type(), about.has_key(), notes).word, relaxed);
  entry.key.store(from.entry(block).key.load(relaxed), relaxed);
  entry.root.store(renewed(root).word, relaxed);
  say_of_all(to, block, BlockWord::make(0, 0, owner, BlockState::passing));
  SAPBUF_KILL_POINT(queue_pass_said);
  if (!renew_rooted(*pool, root)) {
    say_of_all(to, block, {});
    slot.passing_to.store(0, std::memory_order_release);
    return false;
  }
  SAPBUF_KILL_POINT(queue_renewed);
  leave(from, slot, block, 0);
  release_there(to, block, owner);
  slot.passing_to.store(0, std::memory_order_release);
  return true;
}

bool settle_pass(QueueCore& from, std::uint32_t owner) {
  layout::QueueSlot& dead = from.slot(owner);
  const layout::FacilityId id{dead.passing_to.load(std::memory_order_acquire)};
  const auto block = static_cast<std::uint32_t>(dead.passing.load(relaxed));
  if (id.word == 0 || id == from.id() || block >= from.geometry().blocks) return true;
  const std::shared_ptr<PoolCore> pool = from.pool();
  if (block >= pool->geometry().max_count) return true;
  const std::shared_ptr<Facility> found = find_facility(from.segment(), id);
  const bool is_queue = found != nullptr && found->record().kind == layout::FacilityKind::queue;
  QueueCore* const to = is_queue ? static_cast<QueueCore*>(found.get()) : nullptr;
  // Nobody keeps the other queue from being removed by now, but its lock. Whoever has that may want this one's: no wait.
  std::optional<MaintenanceLock> lock;
  if (to != nullptr && !lock.emplace(*to, std::chrono::milliseconds{0})) return false;
  const BlockWord held{from.state(block, 0).load(std::memory_order_acquire)};
  bool is_there = true;  // the block is the other queue's
  if (held.is_held_by(owner)) {
    const Root root{from.entry(block).root.load(relaxed)};
    const BufferWord seen{pool->word(block).load(std::memory_order_acquire)};
    is_there = seen.incarnation() != root.incarnation();
    if (is_there) leave(from, dead, block, 0);
  }
  if (to != nullptr && is_on_its_way(*to, block, owner)) {
    if (is_there) {
      release_there(*to, block, owner);
    } else {
      say_of_all(*to, block, {});
    }
  }
  dead.passing_to.store(0, std::memory_order_release);
  return true;
}

}  // namespace SAPBUF_DETAIL
