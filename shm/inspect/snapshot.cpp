// What a segment looks like now. Reads only; believes nothing that it has not checked.
#include <sys/stat.h>

#include <algorithm>
#include <iterator>

#include <sapbuf/inspect.hpp>

#include "cell/cell_core.hpp"
#include "inspect/map_snapshot.hpp"
#include "inspect/pool_snapshot.hpp"
#include "inspect/queue_snapshot.hpp"
#include "platform/cancellation.hpp"
#include "segment/creation.hpp"
#include "segment/departed.hpp"
#include "segment/facility.hpp"
#include "segment/journal.hpp"
#include "segment/liveness.hpp"
#include "segment/registry.hpp"
#include "stream/durable_readers.hpp"
#include "stream/ledger.hpp"
#include "stream/reader_progress.hpp"
#include "stream/slabs.hpp"
#include "stream/stream_options.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace detail {
namespace {

using layout::Claim;
using layout::Progress;
using layout::SlabLife;
using layout::SlabState;
using layout::SlotRegistration;
using layout::SlotRole;

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

bool is_in_operation(const layout::StreamSlot& slot, SlotRole role) noexcept {
  if (role == SlotRole::reader) return slot.pins.load(relaxed) != 0;
  return Progress{slot.progress.load(relaxed)}.busy() || Claim{slot.claim.load(relaxed)}.is_claiming();
}

// What every facility's participants have, and nothing of its own.
ParticipantSnapshot look_at_identity(SegmentCore& core, const DirectoryRecord& record, std::uint32_t index,
                                     SlotRegistration registration, const HeartbeatClock& clock) {
  const layout::ParticipantSlot& slot = core.participant(index);
  return {.facility = record.name,
          .slot = index,
          .incarnation = registration.incarnation(),
          .role = static_cast<Role>(registration.role()),
          .name = load_name(slot.name),
          .pid = static_cast<std::int32_t>(slot.pid.load(relaxed)),
          .pid_namespace = slot.pid_namespace.load(relaxed),
          .start_time = slot.start_time.load(relaxed),
          .attached_ns = slot.attached_at_ns.load(relaxed),
          .heartbeat_age_ms = clock.age_ns(slot) / 1'000'000,
          .held_generations = {},
          .ledger = {},
          .lag = {},
          .pool_ledger = {},
          .map_ledger = {},
          .queue_ledger = {}};
}

void look_at_ledger(StreamCore& stream, ParticipantSnapshot& seen) {
  const layout::StreamSlot& slot = stream.slot(seen.slot);
  const LedgerValues ledger = observe_ledger(slot);
  seen.in_operation = is_in_operation(slot, static_cast<SlotRole>(seen.role));
  seen.ledger = {.committed = ledger.committed,
                 .committed_bytes = ledger.committed_bytes,
                 .aborted = ledger.aborted,
                 .dropped = ledger.dropped,
                 .abandoned = ledger.abandoned,
                 .delivered = slot.delivered.load(relaxed),
                 .lost = slot.lost.load(relaxed),
                 .skipped = slot.skipped.load(relaxed)};
}

Liveness liveness_of(SegmentCore& core, const ParticipantSnapshot& seen, std::uint64_t active,
                     const InspectOptions& options) noexcept {
  SlotRegistration registration;
  const Proof proof = LivenessSweep{core}.ask(seen.slot, registration);
  if (proof == Proof::lock_free || proof == Proof::process_ended) return Liveness::dead;
  const auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(0, options.hung_after.count()));
  // Whoever holds nothing but the active generation is in nobody's way, however long it has been idle. Nor is a writer that has an
  // extent open in an older one, and no frame: who needs the slab closes it.
  const bool holds_others_up =
      seen.role != Role::writer && std::any_of(seen.held_generations.begin(), seen.held_generations.end(),
                                               [&](std::uint64_t generation) { return generation < active; });
  const bool in_the_way = seen.in_operation || holds_others_up;
  return limit != 0 && in_the_way && seen.heartbeat_age_ms >= limit ? Liveness::hung : Liveness::alive;
}

// `facility` is null for one of a kind that this library does not know, and `stream` for one that is none.
void look_at_participants(SegmentCore& core, const DirectoryRecord& record, Facility* facility, StreamCore* stream,
                          std::uint64_t active, const InspectOptions& options,
                          std::vector<ParticipantSnapshot>& participants) {
  const HeartbeatClock clock;
  for_each_participant(core, record.id, [&](std::uint32_t index, SlotRegistration registration) {
    ParticipantSnapshot seen = look_at_identity(core, record, index, registration, clock);
    if (facility != nullptr) {
      facility->find_holdings(index, seen.held_generations);
      seen.held_bytes = facility->bytes_of(seen.held_generations);
    }
    if (stream != nullptr) look_at_ledger(*stream, seen);
    if (record.kind == layout::FacilityKind::queue && facility != nullptr) {
      seen.in_operation = facility->is_in_the_way(index, registration);
    }
    // A version that is held keeps nobody waiting by itself.
    if (record.kind == layout::FacilityKind::map && facility != nullptr && seen.role == Role::editor) {
      seen.in_operation = static_cast<MapCore*>(facility)->is_claiming(index);
    }
    seen.state = liveness_of(core, seen, active, options);
    // registry: the fence keeps this look behind the others. Who left meanwhile is not shown with a successor's words.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (core.participant(index).registration.load(relaxed) == registration.word)
      participants.push_back(std::move(seen));
  });
}

// Readers are looked at behind the messages: what comes in between is nobody's lag yet.
void look_at_lag(StreamCore& stream, std::vector<ParticipantSnapshot>& participants) {
  std::uint64_t slowest = ~std::uint64_t{0};
  for (const ParticipantSnapshot& participant : participants) {
    if (participant.role != Role::reader) continue;
    if (const auto progress = load_progress(stream.slot(participant.slot)))
      slowest = std::min(slowest, progress->front);
  }
  if (slowest == ~std::uint64_t{0}) return;
  const std::vector<GenerationContent> standing = count_standing(stream, slowest);
  for (ParticipantSnapshot& participant : participants) {
    if (participant.role != Role::reader) continue;
    const auto progress = load_progress(stream.slot(participant.slot));
    if (!progress) continue;
    const Passed left = count_left(standing, *progress);
    participant.lag = Lag{.messages = left.messages, .bytes = left.bytes};
  }
}

void look_at_slabs(StreamCore& stream, const ActiveSlab& active, const std::vector<ParticipantSnapshot>& participants,
                   StreamSnapshot& snapshot) {
  for_each_slab(stream, [&](std::uint32_t index, SlabLife life) {
    SlabSnapshot slab{.index = index,
                      .generation = life.generation(),
                      .state = name_of(life.state()),
                      .used_bytes = 0,
                      .capacity_bytes = stream.geometry().slab_bytes,
                      .held_by = {}};
    if (life.readable()) {
      slab.used_bytes = claimed_bytes(stream, active, {life.generation(), index});
      for (const ParticipantSnapshot& participant : participants) {
        if (std::ranges::count(participant.held_generations, life.generation()) != 0) {
          slab.held_by.push_back(participant.name);
        }
      }
      std::ranges::copy(list_keepers_away(stream, life.generation()), std::back_inserter(slab.held_by));
    }
    snapshot.slabs.push_back(std::move(slab));
  });
}

void look_at_departed(StreamCore& stream, StreamSnapshot& snapshot) {
  const layout::StreamControl& control = stream.control();
  read_departed(control.departed_selector, control.departed, [&](const layout::DepartedRecord& record) {
    snapshot.departed_participants = record.participants.load(relaxed);
    snapshot.departed = {.committed = record.committed.load(relaxed),
                         .committed_bytes = record.committed_bytes.load(relaxed),
                         .aborted = record.aborted.load(relaxed),
                         .dropped = record.dropped.load(relaxed),
                         .abandoned = record.abandoned.load(relaxed),
                         .delivered = record.delivered.load(relaxed),
                         .lost = record.lost.load(relaxed),
                         .skipped = record.skipped.load(relaxed)};
  });
}

std::vector<JournalRecord> look_at_journal(const layout::FacilityHead& head) {
  std::vector<JournalRecord> journal;
  const std::uint64_t last = head.journal_last.load(std::memory_order_acquire);
  const std::uint64_t first = last > layout::kJournalEntries ? last - layout::kJournalEntries + 1 : 1;
  for (std::uint64_t number = first; number <= last && last - number < layout::kJournalEntries; ++number) {
    const layout::JournalEntry& entry = head.journal[number % layout::kJournalEntries];
    if (entry.number.load(std::memory_order_acquire) != number) continue;
    JournalRecord record{.number = number,
                         .slot = static_cast<std::uint32_t>(entry.slot.load(relaxed)),
                         .role = static_cast<Role>(SlotRegistration{entry.registration.load(relaxed)}.role()),
                         .name = load_name(entry.name),
                         .pid = static_cast<std::int32_t>(entry.pid.load(relaxed)),
                         .proof = proof_in(entry),
                         .noticed_ns = entry.noticed_ns.load(relaxed),
                         .finished_ns = entry.finished_ns.load(std::memory_order_acquire),
                         .heartbeat_age_ms = entry.heartbeat_age_ns.load(relaxed) / 1'000'000,
                         .held_first = entry.held_first.load(std::memory_order_acquire),
                         .held_last = entry.held_last.load(relaxed),
                         .held_count = entry.held_count.load(relaxed),
                         .held_bytes = entry.held_bytes.load(relaxed),
                         .repairs = entry.repairs.load(relaxed),
                         .repaired_bytes = entry.repaired_bytes.load(relaxed),
                         .released = entry.released.load(relaxed)};
    std::atomic_thread_fence(std::memory_order_acquire);
    if (entry.number.load(relaxed) == number) journal.push_back(std::move(record));
  }
  return journal;
}

StreamSnapshot look_at_stream(StreamCore& stream, const InspectOptions& options,
                              std::vector<ParticipantSnapshot>& participants) {
  stream.check();
  const ActiveSlab active = load_active(stream);
  StreamSnapshot snapshot{.options = options_of(stream.geometry()),
                          .generation = active.generation,
                          .awaits_first_reader = stream.geometry().retain &&
                                                 stream.control().reader_came.load(std::memory_order_acquire) == 0,
                          .finished_writers = stream.control().finished_writers.load(relaxed),
                          .slabs = {},
                          .durable_readers = list_durable(stream, options.lag ? CountBehind::yes : CountBehind::no),
                          .departed = {}};
  std::vector<ParticipantSnapshot> own;
  look_at_participants(stream.segment(), stream.record(), &stream, &stream, active.generation, options, own);
  if (options.lag) look_at_lag(stream, own);
  look_at_slabs(stream, active, own, snapshot);
  look_at_departed(stream, snapshot);
  std::move(own.begin(), own.end(), std::back_inserter(participants));
  return snapshot;
}

CellSnapshot look_at_cell(CellCore& cell) {
  cell.check();
  return {.value_bytes = cell.geometry().value_bytes,
          .version = layout::CellCurrent{cell.control().current.load(relaxed)}.version()};
}

FacilitySnapshot look_at_facility(Facility& facility, const InspectOptions& options, Snapshot& snapshot) {
  const DirectoryRecord& record = facility.record();
  FacilitySnapshot seen{.info = info_of(record),
                        .recoveries = facility.head().recoveries.load(relaxed),
                        .released = facility.head().released.load(relaxed),
                        .journal = look_at_journal(facility.head()),
                        .stream = {},
                        .pool = {},
                        .map = {},
                        .queue = {},
                        .cell = {}};
  if (record.kind == layout::FacilityKind::stream) {
    seen.stream = look_at_stream(static_cast<StreamCore&>(facility), options, snapshot.participants);
    return seen;
  }
  std::vector<ParticipantSnapshot> own;
  if (record.kind == layout::FacilityKind::pool) seen.pool = look_at_pool(static_cast<PoolCore&>(facility));
  if (record.kind == layout::FacilityKind::map) seen.map = look_at_map(static_cast<MapCore&>(facility));
  if (record.kind == layout::FacilityKind::queue) seen.queue = look_at_queue(static_cast<QueueCore&>(facility));
  if (record.kind == layout::FacilityKind::cell) seen.cell = look_at_cell(static_cast<CellCore&>(facility));
  look_at_participants(facility.segment(), record, &facility, nullptr, 0, options, own);
  if (seen.map) look_at_editors(static_cast<MapCore&>(facility), own, *seen.map);
  if (seen.queue) look_at_ends(static_cast<QueueCore&>(facility), own, *seen.queue);
  if (seen.pool) look_at_users(static_cast<PoolCore&>(facility), own, *seen.pool);
  std::move(own.begin(), own.end(), std::back_inserter(snapshot.participants));
  return seen;
}

void show_main(const FacilitySnapshot& main, Snapshot& snapshot) {
  snapshot.generation = main.stream->generation;
  snapshot.awaits_first_reader = main.stream->awaits_first_reader;
  snapshot.slabs = main.stream->slabs;
  snapshot.departed_participants = main.stream->departed_participants;
  snapshot.departed = main.stream->departed;
  snapshot.released = main.released;
  snapshot.journal = main.journal;
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

Snapshot inspect_core(const std::shared_ptr<SegmentCore>& core, unsigned mode, const InspectOptions& options) {
  core->check_not_forked();
  Snapshot snapshot;
  snapshot.name = core->name();
  snapshot.file = look_at_file(*core);
  snapshot.bytes = core->bytes();
  snapshot.abi = layout::kAbiVersion;
  snapshot.created_ns = core->created_at_ns();
  snapshot.options = Segment{core, false, mode}.options();
  for (const DirectoryRecord& record : directory::list(*core)) {
    const std::shared_ptr<Facility> facility = find_facility(*core, record.id);
    if (facility) {
      snapshot.facilities.push_back(look_at_facility(*facility, options, snapshot));
    } else {
      snapshot.facilities.push_back(
          {.info = info_of(record), .journal = {}, .stream = {}, .pool = {}, .map = {}, .queue = {}, .cell = {}});
      look_at_participants(*core, record, nullptr, nullptr, 0, options, snapshot.participants);
    }
    const FacilitySnapshot& seen = snapshot.facilities.back();
    if (seen.stream && record.name == kMainStream) show_main(seen, snapshot);
  }
  std::ranges::sort(snapshot.participants, {}, &ParticipantSnapshot::slot);
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
  return segment.core()->unless_truncated(
      [&] { return detail::inspect_core(segment.core(), segment.options().mode, options); });
}

Snapshot inspect(std::string_view name, const InspectOptions& options) {
  const platform::Uncancellable to_its_end;
  const detail::Obtained opened = detail::open_named(name, platform::FileAccess::read_only);
  return opened.core->unless_truncated([&] { return detail::inspect_core(opened.core, opened.mode, options); });
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
