// How every table of participants begins: who they are, and when they last did something.
#pragma once

#include <cstdint>
#include <sapbuf/inspect.hpp>
#include <string>
#include <vector>

#include "common/table.hpp"

namespace sapbuf::tools {

// With these behind them.
std::vector<Table::Column> participant_columns(std::vector<Table::Column> more);
std::vector<std::string> participant_cells(const ParticipantSnapshot& participant);
// Of the line for all those that are gone.
std::vector<std::string> departed_cells(std::uint64_t participants);

}  // namespace sapbuf::tools
