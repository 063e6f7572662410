#include "inspect/map_snapshot.hpp"

#include "map/map_options.hpp"
#include "segment/departed.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

void look_at_departed(MapCore& map, MapSnapshot& snapshot) {
  const layout::MapControl& control = map.control();
  read_departed(control.departed_selector, control.departed, [&](const layout::DepartedEditors& record) {
    snapshot.departed_participants = record.participants.load(relaxed);
    snapshot.departed = {.flipped = record.flipped.load(relaxed),
                         .inserted = record.inserted.load(relaxed),
                         .erased = record.erased.load(relaxed),
                         .waits = record.waits.load(relaxed)};
  });
}

}  // namespace

MapSnapshot look_at_map(MapCore& map) {
  map.check();
  const std::string pool = map.pool()->record().name;
  MapSnapshot seen{.options = options_of(map),
                   .pool = pool,
                   .keys = map.keys(),
                   .room = map.entries(),
                   .changes = map.version(),
                   .present = {},
                   .departed = {}};
  look_at_departed(map, seen);
  return seen;
}

void look_at_editors(MapCore& map, std::vector<ParticipantSnapshot>& participants, MapSnapshot& snapshot) {
  for (ParticipantSnapshot& seen : participants) {
    if (seen.role != Role::editor) continue;
    const layout::MapSlot& slot = map.slot(seen.slot);
    const MapLedger ledger{.flipped = slot.flipped.load(relaxed),
                           .inserted = slot.inserted.load(relaxed),
                           .erased = slot.erased.load(relaxed),
                           .waits = slot.waits.load(relaxed)};
    seen.map_ledger = ledger;
    for (const auto figure : {&MapLedger::flipped, &MapLedger::inserted, &MapLedger::erased, &MapLedger::waits}) {
      snapshot.present.*figure += ledger.*figure;
    }
  }
}

}  // namespace SAPBUF_DETAIL
