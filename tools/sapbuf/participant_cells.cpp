#include "sapbuf/participant_cells.hpp"

#include <chrono>

#include "common/human.hpp"

namespace sapbuf::tools {

std::vector<Table::Column> participant_columns(std::vector<Table::Column> more) {
  std::vector<Table::Column> all{{"SLOT", Table::Align::right, {.is_key = true}},
                                 {"ROLE", Table::Align::left, {.is_key = true}},
                                 {"NAME", Table::Align::left, {.cut = Table::Cut::middle, .is_key = true}},
                                 {"PID", Table::Align::right},
                                 {"STATE"},
                                 {"PROGRESS", Table::Align::right}};
  if (!more.empty()) more.front().narrow.begins_part = true;
  for (Table::Column& column : more) all.push_back(std::move(column));
  return all;
}

std::vector<std::string> participant_cells(const ParticipantSnapshot& participant) {
  return {std::to_string(participant.slot),
          std::string{to_string(participant.role)},
          printable_name(participant.name),
          std::to_string(participant.pid),
          std::string{to_string(participant.state)},
          human_duration(std::chrono::milliseconds{participant.heartbeat_age_ms}) + " ago"};
}

std::vector<std::string> departed_cells(std::uint64_t participants) {
  return {"", "departed", human_count(participants), "", "", ""};
}

}  // namespace sapbuf::tools
