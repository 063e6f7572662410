#include "inspect/queue_snapshot.hpp"

#include <algorithm>
#include <cstring>

#include "platform/cancellation.hpp"
#include "queue/queue_options.hpp"
#include "queue/returned.hpp"
#include "queue/ring.hpp"
#include "segment/creation.hpp"
#include "segment/departed.hpp"
#include "segment/words.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace detail {
namespace {

using layout::BlockState;
using layout::BlockWord;

constexpr auto relaxed = std::memory_order_relaxed;

// Also for a block that is about to be released, and stands in no slot yet: that is nothing.
std::string_view state_of(const QueueCore& queue, std::uint32_t block, BlockWord seen) noexcept {
  switch (seen.state()) {
    case BlockState::queued:
      return is_in_ring(queue, block, seen) ? "queued" : "";
    case BlockState::held:
      return "held";
    case BlockState::returned:
      return "returned";
    case BlockState::waiting:
      return seen.deliveries() == 0 ? "queued" : "returned";
    case BlockState::dead:
      return "dead";
    default:
      return "";
  }
}

std::uint64_t* figure_of(QueueGroupSnapshot& group, std::string_view state) noexcept {
  if (state == "queued") return &group.queued;
  if (state == "returned") return &group.returned;
  if (state == "held") return &group.held;
  return state == "dead" ? &group.dead : nullptr;
}

// Calls `visit(block, group, word, state)` for each that a group has before it.
template <typename Visit>
void for_each_block(QueueCore& queue, const PoolCore& pool, Visit visit) {
  const std::uint64_t there = std::min<std::uint64_t>(queue.geometry().blocks, pool.count());
  for (std::uint32_t block = 0; block < there; ++block) {
    for (std::uint32_t group = 0; group < queue.geometry().groups; ++group) {
      const BlockWord seen{queue.state(block, group).load(std::memory_order_acquire)};
      const std::string_view state = state_of(queue, block, seen);
      if (!state.empty()) visit(block, group, seen, state);
    }
  }
}

// In milliseconds, modulo 2^32; the clock may not have come to what the pool was told yet.
std::uint64_t age_of(const PoolCore& pool, std::uint32_t block) noexcept {
  const std::uint32_t since = pool.since(block).load(relaxed);
  const std::uint32_t now = pool.now_ms();
  return static_cast<std::int32_t>(now - since) > 0 ? now - since : 0;
}

void look_at_departed(QueueCore& queue, QueueSnapshot& snapshot) {
  const layout::QueueControl& control = queue.control();
  read_departed(control.departed_selector, control.departed, [&](const layout::DepartedParticipants& record) {
    snapshot.departed_participants = record.participants.load(relaxed);
    snapshot.departed = {.pushed = record.pushed.load(relaxed),
                         .dropped = record.dropped.load(relaxed),
                         .taken = record.taken.load(relaxed),
                         .redelivered = record.redelivered.load(relaxed),
                         .ended = record.ended.load(relaxed),
                         .put_back = record.put_back.load(relaxed),
                         .passed = record.passed.load(relaxed),
                         .dead_letters = record.dead_letters.load(relaxed)};
  });
}

std::vector<DeliveryRecord> notes_of(QueueCore& queue, std::uint32_t block, std::uint32_t group, BlockWord seen) {
  std::vector<DeliveryRecord> records;
  const std::uint32_t most = queue.geometry().notes;
  const bool is_running = seen.state() == BlockState::held;  // what becomes of this delivery is not known yet
  const std::uint32_t ended = seen.deliveries() - (is_running && seen.deliveries() != 0 ? 1 : 0);
  const std::uint32_t written = layout::AboutBlock{queue.entry(block).about.load(relaxed)}.notes() + ended;
  const std::uint32_t count = std::min(written, most);
  for (std::uint32_t i = written - count; i < written; ++i) {
    const layout::DeliveryNote& note = queue.note(block, group, i % most);
    const std::uint64_t how = note.how.load(relaxed);
    layout::Word name[layout::kNameBytes / 8];
    for (std::size_t word = 0; word < std::size(note.name); ++word)
      name[word].store(note.name[word].load(relaxed), relaxed);
    for (std::size_t word = std::size(note.name); word < std::size(name); ++word) name[word].store(0, relaxed);
    records.push_back({.died = (how & 0xff) == 1,
                       .pid = static_cast<std::int32_t>(how >> 32),
                       .name = load_name(name),
                       .at_ns = note.at_ns.load(relaxed)});
  }
  return records;
}

QueueBlock look_at_block(QueueCore& queue, PoolCore& pool, std::uint32_t block, std::uint32_t group, BlockWord seen) {
  const layout::AboutBlock about{queue.entry(block).about.load(relaxed)};
  QueueBlock found;
  found.group = group;
  found.position = seen.position();
  found.deliveries = seen.deliveries();
  found.type = about.type();
  if (about.has_key()) found.key = queue.entry(block).key.load(relaxed);
  found.bytes = std::min<std::uint64_t>(about.length(), pool.geometry().buffer_bytes);
  found.age_ms = age_of(pool, block);
  if (seen.state() == BlockState::held && seen.owner() < queue.geometry().participants) {
    found.holder = load_name(queue.segment().participant(seen.owner()).name);
  }
  const std::uint64_t due = queue.due(block, group).load(relaxed);
  const std::uint64_t now = now_in_ms();
  const bool is_returned = seen.state() == BlockState::returned || seen.state() == BlockState::waiting;
  if (is_returned && due > now) found.due_in_ms = due - now;
  found.notes = notes_of(queue, block, group, seen);
  return found;
}

std::vector<QueueBlock> list_blocks_of(QueueCore& queue, std::size_t content_bytes) {
  queue.check();
  const std::shared_ptr<PoolCore> pool = queue.pool();
  const std::byte* const buffers = pool->buffers_for_reading();
  std::vector<QueueBlock> all;
  for_each_block(queue, *pool, [&](std::uint32_t block, std::uint32_t group, BlockWord seen, std::string_view state) {
    QueueBlock found = look_at_block(queue, *pool, block, group, seen);
    found.state = state;
    const std::byte* const begin = buffers + block * pool->geometry().stride_bytes;
    found.content.assign(begin, begin + std::min<std::uint64_t>(content_bytes, found.bytes));
    std::atomic_thread_fence(std::memory_order_acquire);
    // One that went on meanwhile may be another message's by now.
    if (queue.state(block, group).load(relaxed) == seen.word) all.push_back(std::move(found));
  });
  const std::uint64_t tail = queue.control().tail.load(relaxed);
  std::ranges::sort(all, [&](const QueueBlock& a, const QueueBlock& b) {
    if (a.group != b.group) return a.group < b.group;
    return layout::order_around(tail, a.position) < layout::order_around(tail, b.position);
  });
  return all;
}

std::vector<QueueBlock> list_unless_truncated(QueueCore& queue, std::size_t content_bytes) {
  return queue.segment().unless_truncated([&] {
    queue.segment().check_not_forked();
    return list_blocks_of(queue, content_bytes);
  });
}

}  // namespace

QueueSnapshot look_at_queue(QueueCore& queue) {
  queue.check();
  const std::shared_ptr<PoolCore> pool = queue.pool();
  QueueSnapshot snapshot{.options = options_of(queue),
                         .pool = pool->record().name,
                         .groups = std::vector<QueueGroupSnapshot>(queue.geometry().groups),
                         .present = {},
                         .departed = {}};
  for_each_block(queue, *pool, [&](std::uint32_t block, std::uint32_t group, BlockWord, std::string_view state) {
    ++*figure_of(snapshot.groups[group], state);
    snapshot.oldest_ms = std::max(snapshot.oldest_ms, age_of(*pool, block));
  });
  look_at_departed(queue, snapshot);
  snapshot.ended = snapshot.departed.ended;
  // Behind the blocks: so none is there that was not counted.
  const std::uint64_t filled = layout::position_after(queue.end(), layout::kPositions - queue.geometry().slots);
  snapshot.pushed = filled + queue.control().beside.load(relaxed);
  return snapshot;
}

void look_at_ends(QueueCore& queue, std::vector<ParticipantSnapshot>& participants, QueueSnapshot& snapshot) {
  for (ParticipantSnapshot& seen : participants) {
    const layout::QueueSlot& slot = queue.slot(seen.slot);
    seen.in_operation = !seen.held_generations.empty() || slot.passing_to.load(relaxed) != 0;
    seen.queue_ledger = {.pushed = slot.pushed.load(relaxed),
                         .dropped = slot.dropped.load(relaxed),
                         .taken = slot.taken.load(relaxed),
                         .redelivered = slot.redelivered.load(relaxed),
                         .ended = slot.ended.load(relaxed),
                         .put_back = slot.put_back.load(relaxed),
                         .passed = slot.passed.load(relaxed),
                         .dead_letters = slot.dead_letters.load(relaxed),
                         .waits = slot.waits.load(relaxed)};
    snapshot.ended += seen.queue_ledger.ended;
    for (const auto figure : {&QueueLedger::pushed, &QueueLedger::dropped, &QueueLedger::taken,
                              &QueueLedger::redelivered, &QueueLedger::ended, &QueueLedger::put_back,
                              &QueueLedger::passed, &QueueLedger::dead_letters, &QueueLedger::waits}) {
      snapshot.present.*figure += seen.queue_ledger.*figure;
    }
  }
}

}  // namespace detail

std::vector<QueueBlock> list_blocks(const Queue& queue, std::size_t content_bytes) {
  const platform::Uncancellable to_its_end;
  return detail::list_unless_truncated(*queue.core(), content_bytes);
}

std::vector<QueueBlock> list_blocks(std::string_view segment, std::string_view name, std::size_t content_bytes) {
  const platform::Uncancellable to_its_end;
  const auto core = detail::open_queue(detail::open_named(segment, platform::FileAccess::read_only).core, name);
  return detail::list_unless_truncated(*core, content_bytes);
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
