#include "capi/snapshot.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "capi/handles.hpp"

using namespace sapbuf;
using capi::needed;

sapbuf_snapshot::sapbuf_snapshot(Snapshot taken) : seen(std::move(taken)) {
  for (const FacilitySnapshot& facility : seen.facilities) {
    if (!facility.stream) continue;
    for (const SlabSnapshot& slab : facility.stream->slabs)
      for (const std::string& name : slab.held_by) held_by[&slab].push_back(name.c_str());
  }
}

namespace {

InspectOptions options_of(const sapbuf_inspect_options* given) {
  const sapbuf_inspect_options chosen = capi::chosen(given);
  InspectOptions options{.lag = !chosen.no_lag};
  if (chosen.hung_after_ns < 0) options.hung_after = std::chrono::milliseconds::zero();
  if (chosen.hung_after_ns > 0) options.hung_after = std::chrono::nanoseconds{chosen.hung_after_ns};
  return options;
}

// The participant, if it has one of `roles`; "user of a pool" is what it would have to be otherwise.
const ParticipantSnapshot& participant_in(const sapbuf_snapshot* snapshot, std::size_t participant,
                                          std::initializer_list<Role> roles, const char* what) {
  const ParticipantSnapshot& seen = capi::participant_of(snapshot, participant);
  if (std::ranges::count(roles, seen.role) != 0) return seen;
  throw Error(Errc::invalid_argument,
              "participant " + std::to_string(participant) + ", " + seen.name + ", is no " + what);
}

sapbuf_segment_snapshot shown(const Snapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_segment_snapshot),
          .name = seen.name.c_str(),
          .bytes = seen.bytes,
          .created_ns = seen.created_ns,
          .device = seen.file.device,
          .inode = seen.file.inode,
          .owner = seen.file.owner,
          .group = seen.file.group,
          .mode = seen.file.mode,
          .abi = seen.abi};
}

sapbuf_participant_snapshot shown(const ParticipantSnapshot& seen) noexcept {
  const Lag lag = seen.lag.value_or(Lag{});
  return {.struct_size = sizeof(sapbuf_participant_snapshot),
          .facility = seen.facility.c_str(),
          .name = seen.name.c_str(),
          .held = seen.held_generations.data(),
          .held_count = seen.held_generations.size(),
          .held_bytes = seen.held_bytes,
          .incarnation = seen.incarnation,
          .pid_namespace = seen.pid_namespace,
          .start_time = seen.start_time,
          .attached_ns = seen.attached_ns,
          .heartbeat_age_ms = seen.heartbeat_age_ms,
          .lag_messages = lag.messages,
          .lag_bytes = lag.bytes,
          .pid = seen.pid,
          .slot = seen.slot,
          .role = static_cast<std::uint32_t>(seen.role),
          .liveness = static_cast<std::uint32_t>(seen.state),
          .in_operation = seen.in_operation,
          .has_lag = seen.lag.has_value()};
}

sapbuf_facility_snapshot shown(const FacilitySnapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_facility_snapshot),
          .kind = seen.info.kind.c_str(),
          .name = seen.info.name.c_str(),
          .offset = seen.info.offset,
          .bytes = seen.info.bytes,
          .most_bytes = seen.info.most_bytes,
          .created_ns = seen.info.created_ns,
          .recoveries = seen.recoveries,
          .released = seen.released,
          .journal_records = seen.journal.size()};
}

sapbuf_journal_record shown(const JournalRecord& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_journal_record),
          .name = seen.name.c_str(),
          .proof = seen.proof.c_str(),
          .number = seen.number,
          .noticed_ns = seen.noticed_ns,
          .finished_ns = seen.finished_ns,
          .heartbeat_age_ms = seen.heartbeat_age_ms,
          .held_first = seen.held_first,
          .held_last = seen.held_last,
          .held_count = seen.held_count,
          .held_bytes = seen.held_bytes,
          .repairs = seen.repairs,
          .repaired_bytes = seen.repaired_bytes,
          .released = seen.released,
          .pid = seen.pid,
          .slot = seen.slot,
          .role = static_cast<std::uint32_t>(seen.role)};
}

}  // namespace

namespace sapbuf::capi {

sapbuf_stream_ledger c_ledger_of(const Ledger& ledger) noexcept {
  return {.struct_size = sizeof(sapbuf_stream_ledger),
          .committed = ledger.committed,
          .committed_bytes = ledger.committed_bytes,
          .aborted = ledger.aborted,
          .dropped = ledger.dropped,
          .abandoned = ledger.abandoned,
          .delivered = ledger.delivered,
          .lost = ledger.lost,
          .skipped = ledger.skipped};
}

sapbuf_pool_ledger c_ledger_of(const PoolLedger& ledger) noexcept {
  return {.struct_size = sizeof(sapbuf_pool_ledger),
          .acquired = ledger.acquired,
          .hits = ledger.hits,
          .adopted = ledger.adopted,
          .released = ledger.released,
          .attached = ledger.attached,
          .held = ledger.held,
          .reclaimed = ledger.reclaimed,
          .refills = ledger.refills,
          .stolen = ledger.stolen,
          .grown = ledger.grown,
          .waits = ledger.waits};
}

sapbuf_map_ledger c_ledger_of(const MapLedger& ledger) noexcept {
  return {.struct_size = sizeof(sapbuf_map_ledger),
          .flipped = ledger.flipped,
          .inserted = ledger.inserted,
          .erased = ledger.erased,
          .waits = ledger.waits};
}

sapbuf_queue_ledger c_ledger_of(const QueueLedger& ledger) noexcept {
  return {.struct_size = sizeof(sapbuf_queue_ledger),
          .pushed = ledger.pushed,
          .dropped = ledger.dropped,
          .taken = ledger.taken,
          .redelivered = ledger.redelivered,
          .ended = ledger.ended,
          .put_back = ledger.put_back,
          .passed = ledger.passed,
          .dead_letters = ledger.dead_letters,
          .waits = ledger.waits};
}

}  // namespace sapbuf::capi

sapbuf_status sapbuf_inspect(const sapbuf_segment* segment, const sapbuf_inspect_options* options,
                             sapbuf_snapshot** snapshot) noexcept {
  return capi::give(snapshot,
                    [&] { return sapbuf_snapshot{inspect(needed(segment, "segment").segment, options_of(options))}; });
}

sapbuf_status sapbuf_inspect_by_name(const char* name, const sapbuf_inspect_options* options,
                                     sapbuf_snapshot** snapshot) noexcept {
  return capi::give(
      snapshot, [&] { return sapbuf_snapshot{inspect(std::string_view{&needed(name, "name")}, options_of(options))}; });
}

void sapbuf_snapshot_close(sapbuf_snapshot* snapshot) noexcept { delete snapshot; }

sapbuf_status sapbuf_snapshot_get_segment(const sapbuf_snapshot* snapshot, sapbuf_segment_snapshot* segment) noexcept {
  return capi::show(segment, [&] { return shown(needed(snapshot, "snapshot").seen); });
}

sapbuf_status sapbuf_snapshot_get_segment_options(const sapbuf_snapshot* snapshot,
                                                  sapbuf_segment_options* options) noexcept {
  return capi::show(options, [&] { return capi::c_options_of(needed(snapshot, "snapshot").seen.options); });
}

// ---- participants

size_t sapbuf_snapshot_participants(const sapbuf_snapshot* snapshot) noexcept {
  return snapshot == nullptr ? 0 : snapshot->seen.participants.size();
}

sapbuf_status sapbuf_snapshot_get_participant(const sapbuf_snapshot* snapshot, size_t participant,
                                              sapbuf_participant_snapshot* seen) noexcept {
  return capi::show(seen, [&] { return shown(capi::participant_of(snapshot, participant)); });
}

sapbuf_status sapbuf_snapshot_get_participant_stream_ledger(const sapbuf_snapshot* snapshot, size_t participant,
                                                            sapbuf_stream_ledger* ledger) noexcept {
  return capi::show(ledger, [&] {
    return capi::c_ledger_of(
        participant_in(snapshot, participant, {Role::writer, Role::reader}, "writer or reader of a stream").ledger);
  });
}

sapbuf_status sapbuf_snapshot_get_participant_pool_ledger(const sapbuf_snapshot* snapshot, size_t participant,
                                                          sapbuf_pool_ledger* ledger) noexcept {
  return capi::show(ledger, [&] {
    return capi::c_ledger_of(participant_in(snapshot, participant, {Role::user}, "user of a pool").pool_ledger);
  });
}

sapbuf_status sapbuf_snapshot_get_participant_map_ledger(const sapbuf_snapshot* snapshot, size_t participant,
                                                         sapbuf_map_ledger* ledger) noexcept {
  return capi::show(ledger, [&] {
    const ParticipantSnapshot& seen = participant_in(snapshot, participant, {Role::editor}, "editor of a map");
    if (!seen.map_ledger) throw Error(Errc::invalid_argument, seen.name + " is an editor of a cell, not of a map");
    return capi::c_ledger_of(*seen.map_ledger);
  });
}

sapbuf_status sapbuf_snapshot_get_participant_queue_ledger(const sapbuf_snapshot* snapshot, size_t participant,
                                                           sapbuf_queue_ledger* ledger) noexcept {
  return capi::show(ledger, [&] {
    return capi::c_ledger_of(
        participant_in(snapshot, participant, {Role::producer, Role::consumer}, "producer or consumer of a queue")
            .queue_ledger);
  });
}

// ---- facilities

size_t sapbuf_snapshot_facilities(const sapbuf_snapshot* snapshot) noexcept {
  return snapshot == nullptr ? 0 : snapshot->seen.facilities.size();
}

sapbuf_status sapbuf_snapshot_get_facility(const sapbuf_snapshot* snapshot, size_t facility,
                                           sapbuf_facility_snapshot* seen) noexcept {
  return capi::show(seen, [&] { return shown(capi::facility_of(snapshot, facility)); });
}

sapbuf_status sapbuf_snapshot_find_facility(const sapbuf_snapshot* snapshot, const char* name,
                                            size_t* facility) noexcept {
  return capi::call([&] {
    const std::vector<FacilitySnapshot>& all = needed(snapshot, "snapshot").seen.facilities;
    const std::string_view wanted = &needed(name, "name");
    std::size_t& number = needed(facility, "facility");
    const auto is_it = [&](const FacilitySnapshot& one) { return one.info.name == wanted; };
    const auto found = std::ranges::find_if(all, is_it);
    if (found == all.end()) return capi::fail(SAPBUF_NOT_FOUND);
    number = static_cast<std::size_t>(found - all.begin());
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_snapshot_get_journal_record(const sapbuf_snapshot* snapshot, size_t facility, size_t record,
                                                 sapbuf_journal_record* seen) noexcept {
  return capi::show(seen, [&] {
    return shown(capi::numbered(capi::facility_of(snapshot, facility).journal, record, "record of the journal"));
  });
}
