#include "inspect/pool_snapshot.hpp"

#include <algorithm>
#include <iterator>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/chunks.hpp"
#include "pool/figures.hpp"
#include "pool/idle.hpp"
#include "pool/pool_options.hpp"
#include "segment/departed.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

void count_buffer(const PoolCore& pool, std::uint32_t buffer, const Block& block, PoolClass& its,
                  PoolSnapshot& snapshot) {
  const std::uint64_t bytes = pool.has_classes() ? its.bytes : pool.geometry().buffer_bytes;
  ++its.buffers;
  switch (layout::BufferWord{pool.word(buffer).load(relaxed)}.state()) {
    case layout::BufferState::free:
      ++its.free;
      snapshot.free += block.step;
      break;
    case layout::BufferState::local:
      ++snapshot.in_use;
      snapshot.in_use_bytes += bytes;
      break;
    case layout::BufferState::shared:
    case layout::BufferState::dying:
      ++snapshot.shared;
      snapshot.shared_bytes += bytes;
      break;
  }
}

// `classes`: by their number; one of all, where there is one size.
void count_buffers(const PoolCore& pool, std::uint32_t chunk, layout::ChunkWord seen, std::vector<PoolClass>& classes,
                   PoolSnapshot& snapshot) {
  const std::uint32_t pieces = end_of(pool, chunk) - first_buffer_of(chunk);
  switch (seen.state()) {
    case layout::ChunkState::whole:
      snapshot.in_use += pieces;
      snapshot.in_use_bytes += pieces * pool.geometry().buffer_bytes;
      break;
    case layout::ChunkState::split:
    case layout::ChunkState::joining: {
      const Block block = block_at(pool, chunk, seen);
      const std::uint32_t number = std::min(seen.size_class(), pool.magazines() - 1);
      for_each_buffer(pool, chunk, seen,
                      [&](std::uint32_t buffer) { count_buffer(pool, buffer, block, classes[number], snapshot); });
      break;
    }
    case layout::ChunkState::tail:
      break;
    case layout::ChunkState::unbacked:
      snapshot.unbacked += pieces;
      [[fallthrough]];
    default:
      snapshot.free += pieces;
  }
}

void look_at_chunks(const PoolCore& pool, PoolSnapshot& snapshot) {
  std::vector<PoolClass> classes(pool.magazines());
  for (std::uint32_t number = 0; number < pool.classes(); ++number) {
    classes[number].bytes = pool.size_class(number).bytes;
  }
  for_each_chunk(
      pool, [&](std::uint32_t chunk, layout::ChunkWord seen) { count_buffers(pool, chunk, seen, classes, snapshot); });
  if (!pool.has_classes()) return;
  std::copy_if(classes.begin(), classes.end(), std::back_inserter(snapshot.classes),
               [](const PoolClass& its) { return its.buffers != 0; });
}

void look_at_magazines(PoolCore& pool, PoolSnapshot& snapshot) {
  for_each_participant(pool, [&](std::uint32_t index, layout::SlotRegistration) {
    snapshot.acquired += load_figures(pool, index).acquired;
    for_each_idle(pool, index, [&](std::uint32_t buffer) {
      ++snapshot.cached;
      snapshot.cached_bytes += pool.buffer_bytes(buffer);
    });
    if (pool.slot(index).request.load(relaxed) != 0) ++snapshot.waiting;
  });
  // Of words and magazines that change meanwhile.
  snapshot.cached = std::min(snapshot.cached, snapshot.in_use);
  snapshot.cached_bytes = std::min(snapshot.cached_bytes, snapshot.in_use_bytes);
  snapshot.in_use -= snapshot.cached;
  snapshot.in_use_bytes -= snapshot.cached_bytes;
}

void look_at_departed(PoolCore& pool, PoolSnapshot& snapshot) {
  const layout::PoolControl& control = pool.control();
  read_departed(control.departed_selector, control.departed, [&](const layout::DepartedUsers& record) {
    const std::uint64_t acquired = record.acquired.load(relaxed);
    snapshot.departed_users = record.participants.load(relaxed);
    snapshot.departed = {.acquired = acquired,
                         .hits = acquired - std::min(record.misses.load(relaxed), acquired),
                         .adopted = record.adopted.load(relaxed),
                         .released = record.released.load(relaxed),
                         .attached = record.attached.load(relaxed),
                         .reclaimed = record.reclaimed.load(relaxed),
                         .refills = record.refills.load(relaxed),
                         .stolen = record.stolen.load(relaxed),
                         .grown = record.grown.load(relaxed),
                         .waits = record.waits.load(relaxed)};
  });
}

// What `peak` was told lags behind the words; these, at least, are out.
std::uint64_t peak_of(PoolCore& pool, const PoolSnapshot& snapshot) noexcept {
  const std::uint64_t out = snapshot.in_use + snapshot.cached + snapshot.shared;
  return std::min(std::max(pool.control().peak.load(relaxed), out), snapshot.count);
}

void look_at_figures(PoolCore& pool, ParticipantSnapshot& seen) {
  const PoolFigures figures = load_figures(pool, seen.slot);
  seen.pool_ledger = {.acquired = figures.acquired,
                      .hits = figures.acquired - figures.misses,
                      .adopted = figures.adopted,
                      .released = figures.released,
                      .attached = figures.attached,
                      .held = seen.held_generations.size() + pool.count_repeats(seen.slot),
                      .refills = figures.refills,
                      .stolen = figures.stolen,
                      .grown = figures.grown,
                      .waits = figures.waits};
}

void add(PoolLedger& sum, const PoolLedger& more) {
  for (const auto figure :
       {&PoolLedger::acquired, &PoolLedger::hits, &PoolLedger::adopted, &PoolLedger::released, &PoolLedger::attached,
        &PoolLedger::held, &PoolLedger::refills, &PoolLedger::stolen, &PoolLedger::grown, &PoolLedger::waits}) {
    sum.*figure += more.*figure;
  }
}

std::uint32_t since_of(PoolCore& pool, std::uint32_t buffer) noexcept {
  const std::uint32_t chunk = chunk_of(buffer);
  const bool is_whole = layout::ChunkWord{pool.chunk(chunk).load(relaxed)}.state() == layout::ChunkState::whole;
  return pool.since(is_whole ? first_buffer_of(chunk) : buffer).load(relaxed);
}

PoolHolder look_at_holder(PoolCore& pool, const ParticipantSnapshot& user) {
  PoolHolder holder{
      .slot = user.slot, .name = user.name, .buffers = user.held_generations.size(), .bytes = user.held_bytes};
  if (!HeartbeatClock{}.is_comparable(pool.segment().participant(user.slot))) return holder;
  for (const std::uint64_t number : user.held_generations) {
    const std::uint32_t since = since_of(pool, static_cast<std::uint32_t>(number - 1));
    // Behind the look: the clock is not before what it said then.
    holder.oldest_ms = std::max<std::uint64_t>(holder.oldest_ms, pool.now_ms() - since);
  }
  return holder;
}

}  // namespace

PoolSnapshot look_at_pool(PoolCore& pool) {
  pool.check();
  PoolSnapshot snapshot{
      .options = options_of(pool.geometry()), .classes = {}, .holders = {}, .present = {}, .departed = {}};
  SAPBUF_KILL_POINT(pool_inspecting);
  look_at_chunks(pool, snapshot);
  look_at_magazines(pool, snapshot);
  snapshot.count = pool.count();  // behind the others: it may grow meanwhile, and has those that were seen
  look_at_departed(pool, snapshot);
  snapshot.peak = peak_of(pool, snapshot);
  snapshot.grown = snapshot.count - std::min(snapshot.options.count, snapshot.count);
  return snapshot;
}

void look_at_users(PoolCore& pool, std::vector<ParticipantSnapshot>& users, PoolSnapshot& snapshot) {
  for (ParticipantSnapshot& user : users) {
    look_at_figures(pool, user);
    add(snapshot.present, user.pool_ledger);
    if (!user.held_generations.empty()) snapshot.holders.push_back(look_at_holder(pool, user));
  }
  snapshot.waits = snapshot.present.waits + snapshot.departed.waits;
}

}  // namespace SAPBUF_DETAIL
