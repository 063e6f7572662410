#include "sapbuf/map_status.hpp"

#include <fmt/format.h>

#include "common/human.hpp"
#include "common/table.hpp"
#include "sapbuf/participant_cells.hpp"

namespace sapbuf::tools {

namespace {

using Align = Table::Align;

}  // namespace

std::string map_in_short(const MapSnapshot& map) {
  const std::string more =
      map.options.max_keys == map.room ? "" : fmt::format(" (up to {})", human_count(map.options.max_keys));
  return fmt::format("{} of {}{}, {} so far; values of up to {} in pool {}", counted(map.keys, "key"),
                     human_count(map.room), more, counted(map.changes, "change"), human_bytes(map.options.value_bytes),
                     printable_name(map.pool));
}

std::string map_table(const ShownParticipants& attached, const MapSnapshot& map) {
  Table table(participant_columns({{"VERSIONS", Align::right},
                                   {"BYTES", Align::right},
                                   {"FLIPPED", Align::right},
                                   {"INSERTED", Align::right},
                                   {"ERASED", Align::right},
                                   {"WAITS", Align::right}}));
  const auto add = [&](std::vector<std::string> who, std::vector<std::string> has,
                       const std::optional<MapLedger>& ledger) {
    for (std::string& cell : has) who.push_back(std::move(cell));
    for (const auto figure : {&MapLedger::flipped, &MapLedger::inserted, &MapLedger::erased, &MapLedger::waits}) {
      who.push_back(ledger ? human_count((*ledger).*figure) : "-");
    }
    table.row(std::move(who));
  };
  for (const ParticipantSnapshot& one : attached.shown) {
    add(participant_cells(one), {human_count(one.held_generations.size()), human_bytes(one.held_bytes)},
        one.map_ledger);
  }
  if (map.departed_participants != 0) add(departed_cells(map.departed_participants), {"-", "-"}, map.departed);
  return attached.text(table, "nobody reads or writes it\n");
}

}  // namespace sapbuf::tools
