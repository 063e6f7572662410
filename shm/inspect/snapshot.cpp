// What a segment looks like now. Reads only; believes nothing that it has not checked.
#include <sys/stat.h>

#include <algorithm>

#include <sapbuf/inspect.hpp>

#include "platform/cancellation.hpp"
#include "segment/creation.hpp"
#include "segment/facility.hpp"
#include "segment/journal.hpp"
#include "segment/ledger.hpp"
#include "segment/liveness.hpp"
#include "segment/registry.hpp"
#include "stream/slabs.hpp"

namespace sapbuf {
namespace detail {
namespace {

using layout::Claim;
using layout::Progress;
using layout::SlabLife;
using layout::SlabState;
using layout::SlotRole;
using layout::SlotTenure;

constexpr auto relaxed = std::memory_order_relaxed;

const char* name_of(SlabState state) noexcept {
  switch (state) {
    case SlabState::free:
      return "free";
    case SlabState::active:
      return "active";
    case SlabState::sealed:
      return "sealed";
    case SlabState::reclaiming:
    case SlabState::cleaning:
      return "cleaning";
  }
  return "unknown";
}

bool is_in_operation(const layout::ParticipantSlot& slot, SlotRole role) noexcept {
  if (role == SlotRole::reader) return slot.pins.load(relaxed) != 0;
  return Progress{slot.progress.load(relaxed)}.busy() || Claim{slot.claim.load(relaxed)}.is_claiming();
}

Liveness liveness_of(SegmentCore& core, std::uint32_t index, const ParticipantSnapshot& seen, std::uint64_t active,
                     const InspectOptions& options) noexcept {
  SlotTenure tenure;
  const Proof proof = LivenessSweep{core}.ask(index, tenure);
  if (proof == Proof::lock_free || proof == Proof::process_ended) return Liveness::dead;
  const auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(0, options.hung_after.count()));
  // Whoever holds nothing but the active generation is in nobody's way, however long it has been idle.
  const bool in_the_way =
      seen.in_operation || std::any_of(seen.held_generations.begin(), seen.held_generations.end(),
                                       [&](std::uint64_t generation) { return generation < active; });
  return limit != 0 && in_the_way && seen.heartbeat_age_ms >= limit ? Liveness::hung : Liveness::alive;
}

ParticipantSnapshot look_at(SegmentCore& core, std::uint32_t index, SlotTenure tenure, std::uint64_t active,
                            const HeartbeatClock& clock, const InspectOptions& options) {
  const layout::ParticipantSlot& slot = core.slot(index);
  const LedgerValues ledger = observe_ledger(slot);
  ParticipantSnapshot seen{.slot = index,
                           .incarnation = tenure.incarnation(),
                           .role = static_cast<Role>(tenure.role()),
                           .name = load_name(slot.name),
                           .pid = static_cast<std::int32_t>(slot.pid.load(relaxed)),
                           .pid_namespace = slot.pid_namespace.load(relaxed),
                           .start_time = slot.start_time.load(relaxed),
                           .in_operation = is_in_operation(slot, tenure.role()),
                           .heartbeat_age_ms = clock.age_ns(slot) / 1'000'000,
                           .held_generations = {},
                           .ledger = {.committed = ledger.committed,
                                      .committed_bytes = ledger.committed_bytes,
                                      .aborted = ledger.aborted,
                                      .dropped = ledger.dropped,
                                      .abandoned = ledger.abandoned,
                                      .delivered = slot.delivered.load(relaxed),
                                      .lost = slot.lost.load(relaxed),
                                      .skipped = slot.skipped.load(relaxed)}};
  for (const Facility& facility : facilities()) facility.held(core, index, seen.held_generations);
  seen.state = liveness_of(core, index, seen, active, options);
  return seen;
}

void look_at_participants(SegmentCore& core, const InspectOptions& options, Snapshot& snapshot) {
  const HeartbeatClock clock;
  const std::uint32_t high = core.high_slot();
  for (std::uint32_t index = 0; index < high; ++index) {
    const SlotTenure tenure{core.slot(index).tenure.load(std::memory_order_acquire)};
    if (!tenure.in_use()) continue;
    ParticipantSnapshot seen = look_at(core, index, tenure, snapshot.generation, clock, options);
    // registry: the fence keeps this look behind the others. Who left meanwhile is not shown with a successor's words.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (core.slot(index).tenure.load(relaxed) != tenure.word) continue;
    snapshot.participants.push_back(std::move(seen));
  }
}

void look_at_slabs(SegmentCore& core, const ActiveSlab& active, Snapshot& snapshot) {
  for (std::uint32_t index = 0; index < core.geometry().slabs; ++index) {
    const SlabLife life{core.descriptor(index).life.load(std::memory_order_acquire)};
    SlabSnapshot slab{.index = index,
                      .generation = life.generation(),
                      .state = name_of(life.state()),
                      .used_bytes = 0,
                      .capacity_bytes = core.geometry().slab_bytes,
                      .held_by = {}};
    if (life.readable()) {
      slab.used_bytes = claimed_bytes(core, active, {life.generation(), index});
      for (const ParticipantSnapshot& participant : snapshot.participants) {
        if (std::ranges::count(participant.held_generations, life.generation()) != 0) {
          slab.held_by.push_back(participant.name);
        }
      }
    }
    snapshot.slabs.push_back(std::move(slab));
  }
}

void look_at_departed(SegmentCore& core, Snapshot& snapshot) {
  const layout::Control& control = core.control();
  // The copy that is selected is not written; if the selector moved meanwhile, look again.
  for (int tries = 0; tries < 100; ++tries) {
    const std::uint64_t selector = control.departed_selector.load(std::memory_order_acquire);
    const layout::DepartedRecord& record = control.departed[selector & 1];
    snapshot.departed_participants = record.participants.load(relaxed);
    snapshot.departed = {.committed = record.committed.load(relaxed),
                         .committed_bytes = record.committed_bytes.load(relaxed),
                         .aborted = record.aborted.load(relaxed),
                         .dropped = record.dropped.load(relaxed),
                         .abandoned = record.abandoned.load(relaxed),
                         .delivered = record.delivered.load(relaxed),
                         .lost = record.lost.load(relaxed),
                         .skipped = record.skipped.load(relaxed)};
    std::atomic_thread_fence(std::memory_order_acquire);
    if (control.departed_selector.load(relaxed) == selector) return;
  }
}

void look_at_journal(SegmentCore& core, Snapshot& snapshot) {
  const layout::Control& control = core.control();
  const std::uint64_t last = control.journal_last.load(std::memory_order_acquire);
  const std::uint64_t first = last > layout::kJournalEntries ? last - layout::kJournalEntries + 1 : 1;
  for (std::uint64_t number = first; number <= last && last - number < layout::kJournalEntries; ++number) {
    const layout::JournalEntry& entry = control.journal[number % layout::kJournalEntries];
    if (entry.number.load(std::memory_order_acquire) != number) continue;
    JournalRecord record{.number = number,
                         .slot = static_cast<std::uint32_t>(entry.slot.load(relaxed)),
                         .role = static_cast<Role>(SlotTenure{entry.tenure.load(relaxed)}.role()),
                         .name = load_name(entry.name),
                         .pid = static_cast<std::int32_t>(entry.pid.load(relaxed)),
                         .proof = proof_in(entry),
                         .noticed_ns = entry.noticed_ns.load(relaxed),
                         .finished_ns = entry.finished_ns.load(std::memory_order_acquire),
                         .heartbeat_age_ms = entry.heartbeat_age_ns.load(relaxed) / 1'000'000,
                         .held_first = entry.held_first.load(std::memory_order_acquire),
                         .held_last = entry.held_last.load(relaxed),
                         .repaired_frames = entry.repaired_frames.load(relaxed),
                         .repaired_bytes = entry.repaired_bytes.load(relaxed),
                         .reclaimed_slabs = entry.reclaimed_slabs.load(relaxed)};
    std::atomic_thread_fence(std::memory_order_acquire);
    if (entry.number.load(relaxed) == number) snapshot.journal.push_back(std::move(record));
  }
}

BackingFile look_at_file(SegmentCore& core) {
  struct stat file {};
  if (core.name().empty()) return {};
  if (core.locks().with_descriptor([&](int descriptor) { return ::fstat(descriptor, &file); }) != 0) return {};
  return {.device = file.st_dev,
          .inode = file.st_ino,
          .owner = file.st_uid,
          .group = file.st_gid,
          .mode = file.st_mode & 07777u};
}

Snapshot inspect_core(SegmentCore& core, const InspectOptions& options) {
  core.check_not_forked();
  const ActiveSlab active = load_active(core);
  if (!active.valid()) {
    throw Error(Errc::corrupt, "segment '" + core.name() + "' is corrupt: the cursor points nowhere");
  }
  Snapshot snapshot;
  snapshot.name = core.name();
  snapshot.file = look_at_file(core);
  snapshot.bytes = core.geometry().total_bytes;
  snapshot.abi = layout::kAbiVersion;
  snapshot.created_ns = core.created_at_ns();
  snapshot.options = options_of(core.geometry());
  snapshot.generation = active.generation;
  snapshot.awaits_first_reader =
      core.geometry().retain == 1 && core.control().reader_came.load(std::memory_order_acquire) == 0;
  snapshot.reclaimed_slabs = core.control().reclaimed_slabs.load(relaxed);
  look_at_participants(core, options, snapshot);
  look_at_slabs(core, active, snapshot);
  look_at_departed(core, snapshot);
  look_at_journal(core, snapshot);
  return snapshot;
}

}  // namespace
}  // namespace detail

std::string_view to_string(Liveness liveness) noexcept {
  switch (liveness) {
    case Liveness::alive:
      return "alive";
    case Liveness::dead:
      return "dead";
    case Liveness::hung:
      return "hung";
  }
  return "unknown";
}

std::string_view to_string(Order order) noexcept { return order == Order::total ? "total" : "per-writer"; }

std::string_view to_string(OnFull on_full) noexcept {
  switch (on_full) {
    case OnFull::block:
      return "block";
    case OnFull::drop:
      return "drop";
    case OnFull::overwrite:
      return "overwrite";
  }
  return "unknown";
}

Snapshot inspect(const Segment& segment, const InspectOptions& options) {
  const platform::Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] { return detail::inspect_core(*segment.core(), options); });
}

Snapshot inspect(std::string_view name, const InspectOptions& options) {
  const platform::Uncancellable to_its_end;
  const auto core = detail::open_named(name, platform::FileAccess::read_only).core;
  return core->unless_truncated([&] { return detail::inspect_core(*core, options); });
}

}  // namespace sapbuf
