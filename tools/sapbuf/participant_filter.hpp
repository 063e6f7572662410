// Which participants of a facility are shown, where there are many.
#pragma once

#include <CLI/CLI.hpp>
#include <sapbuf/inspect.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/table.hpp"

namespace sapbuf::tools {

struct ParticipantFilter {
  // All must hold: "role=reader", "state=dead", or the name, where * and ? stand for anything.
  std::vector<std::string> patterns;
  bool all = false;  // without patterns: all of them, however many

  bool admits(const ParticipantSnapshot& participant) const;
};

// --filter and --all.
void add_participant_filter(CLI::App& command, ParticipantFilter& filter);

struct ShownParticipants {
  std::vector<ParticipantSnapshot> shown;
  std::string note;  // a line about the others; empty if there are none

  // The table of those that are shown, and the note; `nobody` where there are no participants at all.
  std::string text(const Table& table, std::string_view nobody) const;
};
// Without patterns, and of more than fit on some screens: those that are dead or hung, and those that are furthest behind, or
// keep most from others.
ShownParticipants choose_shown(std::vector<ParticipantSnapshot> participants, const ParticipantFilter& filter);

}  // namespace sapbuf::tools
