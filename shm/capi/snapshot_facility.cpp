#include "capi/handles.hpp"
#include "capi/snapshot.hpp"

using namespace sapbuf;
using capi::c_ledger_of;
using capi::c_options_of;
using capi::numbered;
using capi::show;

namespace {

// What the facility has as a "stream", which is `part` of it. Throws Errc::invalid_argument if it is of another kind.
template <typename Part>
const Part& part_of(const sapbuf_snapshot* snapshot, std::size_t facility, std::optional<Part> FacilitySnapshot::*part,
                    const char* kind) {
  const FacilitySnapshot& seen = capi::facility_of(snapshot, facility);
  if (seen.*part) return *(seen.*part);
  throw Error(Errc::invalid_argument, "facility " + std::to_string(facility) + ", " + seen.info.name + ", has kind " +
                                          seen.info.kind + ", not " + kind);
}

const StreamSnapshot& stream_of(const sapbuf_snapshot* snapshot, std::size_t facility) {
  return part_of(snapshot, facility, &FacilitySnapshot::stream, "stream");
}
const PoolSnapshot& pool_of(const sapbuf_snapshot* snapshot, std::size_t facility) {
  return part_of(snapshot, facility, &FacilitySnapshot::pool, "pool");
}
const MapSnapshot& map_of(const sapbuf_snapshot* snapshot, std::size_t facility) {
  return part_of(snapshot, facility, &FacilitySnapshot::map, "map");
}
const QueueSnapshot& queue_of(const sapbuf_snapshot* snapshot, std::size_t facility) {
  return part_of(snapshot, facility, &FacilitySnapshot::queue, "queue");
}
const CellSnapshot& cell_of(const sapbuf_snapshot* snapshot, std::size_t facility) {
  return part_of(snapshot, facility, &FacilitySnapshot::cell, "cell");
}

sapbuf_stream_snapshot shown(const StreamSnapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_stream_snapshot),
          .generation = seen.generation,
          .finished_writers = seen.finished_writers,
          .departed_participants = seen.departed_participants,
          .slabs = seen.slabs.size(),
          .durable_readers = seen.durable_readers.size(),
          .awaits_first_reader = seen.awaits_first_reader};
}

sapbuf_slab_snapshot shown(const SlabSnapshot& seen, const sapbuf_snapshot& in) noexcept {
  const auto names = in.held_by.find(&seen);
  return {.struct_size = sizeof(sapbuf_slab_snapshot),
          .state = seen.state.c_str(),
          .held_by = names == in.held_by.end() ? nullptr : names->second.data(),
          .held_by_count = seen.held_by.size(),
          .generation = seen.generation,
          .used_bytes = seen.used_bytes,
          .capacity_bytes = seen.capacity_bytes};
}

sapbuf_pool_snapshot shown(const PoolSnapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_pool_snapshot),
          .count = seen.count,
          .in_use = seen.in_use,
          .cached = seen.cached,
          .shared = seen.shared,
          .free = seen.free,
          .unbacked = seen.unbacked,
          .in_use_bytes = seen.in_use_bytes,
          .cached_bytes = seen.cached_bytes,
          .shared_bytes = seen.shared_bytes,
          .piece_bytes = seen.options.piece_bytes(),
          .acquired = seen.acquired,
          .waits = seen.waits,
          .waiting = seen.waiting,
          .peak = seen.peak,
          .grown = seen.grown,
          .departed_users = seen.departed_users,
          .classes = seen.classes.size(),
          .holders = seen.holders.size()};
}

sapbuf_pool_class shown(const PoolClass& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_pool_class), .bytes = seen.bytes, .buffers = seen.buffers, .free = seen.free};
}

sapbuf_pool_holder shown(const PoolHolder& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_pool_holder),
          .name = seen.name.c_str(),
          .buffers = seen.buffers,
          .bytes = seen.bytes,
          .oldest_ms = seen.oldest_ms,
          .slot = seen.slot};
}

sapbuf_map_snapshot shown(const MapSnapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_map_snapshot),
          .pool = seen.pool.c_str(),
          .keys = seen.keys,
          .room = seen.room,
          .changes = seen.changes,
          .departed_participants = seen.departed_participants};
}

sapbuf_queue_snapshot shown(const QueueSnapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_queue_snapshot),
          .pool = seen.pool.c_str(),
          .pushed = seen.pushed,
          .ended = seen.ended,
          .oldest_ms = seen.oldest_ms,
          .departed_participants = seen.departed_participants,
          .groups = seen.groups.size()};
}

sapbuf_queue_group shown(const QueueGroupSnapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_queue_group),
          .queued = seen.queued,
          .returned = seen.returned,
          .held = seen.held,
          .dead = seen.dead};
}

sapbuf_cell_snapshot shown(const CellSnapshot& seen) noexcept {
  return {.struct_size = sizeof(sapbuf_cell_snapshot), .value_bytes = seen.value_bytes, .version = seen.version};
}

}  // namespace

// ---- streams

sapbuf_status sapbuf_snapshot_get_stream(const sapbuf_snapshot* snapshot, size_t facility,
                                         sapbuf_stream_snapshot* stream) noexcept {
  return show(stream, [&] { return shown(stream_of(snapshot, facility)); });
}

sapbuf_status sapbuf_snapshot_get_stream_options(const sapbuf_snapshot* snapshot, size_t facility,
                                                 sapbuf_stream_options* options) noexcept {
  return show(options, [&] { return c_options_of(stream_of(snapshot, facility).options); });
}

sapbuf_status sapbuf_snapshot_get_stream_departed(const sapbuf_snapshot* snapshot, size_t facility,
                                                  sapbuf_stream_ledger* ledger) noexcept {
  return show(ledger, [&] { return c_ledger_of(stream_of(snapshot, facility).departed); });
}

sapbuf_status sapbuf_snapshot_get_slab(const sapbuf_snapshot* snapshot, size_t facility, size_t slab,
                                       sapbuf_slab_snapshot* seen) noexcept {
  return show(seen, [&] { return shown(numbered(stream_of(snapshot, facility).slabs, slab, "slab"), *snapshot); });
}

sapbuf_status sapbuf_snapshot_get_durable_reader(const sapbuf_snapshot* snapshot, size_t facility, size_t reader,
                                                 sapbuf_durable_reader* seen) noexcept {
  return show(seen, [&] {
    return capi::c_reader_of(numbered(stream_of(snapshot, facility).durable_readers, reader, "durable reader"));
  });
}

// ---- pools

sapbuf_status sapbuf_snapshot_get_pool(const sapbuf_snapshot* snapshot, size_t facility,
                                       sapbuf_pool_snapshot* pool) noexcept {
  return show(pool, [&] { return shown(pool_of(snapshot, facility)); });
}

sapbuf_status sapbuf_snapshot_get_pool_options(const sapbuf_snapshot* snapshot, size_t facility,
                                               sapbuf_pool_options* options) noexcept {
  return show(options, [&] { return c_options_of(pool_of(snapshot, facility).options); });
}

sapbuf_status sapbuf_snapshot_get_pool_present(const sapbuf_snapshot* snapshot, size_t facility,
                                               sapbuf_pool_ledger* ledger) noexcept {
  return show(ledger, [&] { return c_ledger_of(pool_of(snapshot, facility).present); });
}

sapbuf_status sapbuf_snapshot_get_pool_departed(const sapbuf_snapshot* snapshot, size_t facility,
                                                sapbuf_pool_ledger* ledger) noexcept {
  return show(ledger, [&] { return c_ledger_of(pool_of(snapshot, facility).departed); });
}

sapbuf_status sapbuf_snapshot_get_pool_class(const sapbuf_snapshot* snapshot, size_t facility, size_t number,
                                             sapbuf_pool_class* seen) noexcept {
  return show(seen, [&] { return shown(numbered(pool_of(snapshot, facility).classes, number, "size class")); });
}

sapbuf_status sapbuf_snapshot_get_pool_holder(const sapbuf_snapshot* snapshot, size_t facility, size_t holder,
                                              sapbuf_pool_holder* seen) noexcept {
  return show(seen, [&] { return shown(numbered(pool_of(snapshot, facility).holders, holder, "holder")); });
}

// ---- maps

sapbuf_status sapbuf_snapshot_get_map(const sapbuf_snapshot* snapshot, size_t facility,
                                      sapbuf_map_snapshot* map) noexcept {
  return show(map, [&] { return shown(map_of(snapshot, facility)); });
}

sapbuf_status sapbuf_snapshot_get_map_options(const sapbuf_snapshot* snapshot, size_t facility,
                                              sapbuf_map_options* options) noexcept {
  return show(options, [&] { return c_options_of(map_of(snapshot, facility).options); });
}

sapbuf_status sapbuf_snapshot_get_map_present(const sapbuf_snapshot* snapshot, size_t facility,
                                              sapbuf_map_ledger* ledger) noexcept {
  return show(ledger, [&] { return c_ledger_of(map_of(snapshot, facility).present); });
}

sapbuf_status sapbuf_snapshot_get_map_departed(const sapbuf_snapshot* snapshot, size_t facility,
                                               sapbuf_map_ledger* ledger) noexcept {
  return show(ledger, [&] { return c_ledger_of(map_of(snapshot, facility).departed); });
}

// ---- queues

sapbuf_status sapbuf_snapshot_get_queue(const sapbuf_snapshot* snapshot, size_t facility,
                                        sapbuf_queue_snapshot* queue) noexcept {
  return show(queue, [&] { return shown(queue_of(snapshot, facility)); });
}

sapbuf_status sapbuf_snapshot_get_queue_options(const sapbuf_snapshot* snapshot, size_t facility,
                                                sapbuf_queue_options* options) noexcept {
  return show(options, [&] { return c_options_of(queue_of(snapshot, facility).options); });
}

sapbuf_status sapbuf_snapshot_get_queue_present(const sapbuf_snapshot* snapshot, size_t facility,
                                                sapbuf_queue_ledger* ledger) noexcept {
  return show(ledger, [&] { return c_ledger_of(queue_of(snapshot, facility).present); });
}

sapbuf_status sapbuf_snapshot_get_queue_departed(const sapbuf_snapshot* snapshot, size_t facility,
                                                 sapbuf_queue_ledger* ledger) noexcept {
  return show(ledger, [&] { return c_ledger_of(queue_of(snapshot, facility).departed); });
}

sapbuf_status sapbuf_snapshot_get_queue_group(const sapbuf_snapshot* snapshot, size_t facility, size_t group,
                                              sapbuf_queue_group* seen) noexcept {
  return show(seen, [&] { return shown(numbered(queue_of(snapshot, facility).groups, group, "group")); });
}

// ---- cells

sapbuf_status sapbuf_snapshot_get_cell(const sapbuf_snapshot* snapshot, size_t facility,
                                       sapbuf_cell_snapshot* cell) noexcept {
  return show(cell, [&] { return shown(cell_of(snapshot, facility)); });
}
