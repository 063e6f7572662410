// A tool's command line as CLI11 knows it, taken apart for those who describe it: manual pages, completions of shells.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sapbuf::tools {

// What an option takes, or an operand is.
enum class ValueKind {
  none,     // a flag
  text,     // anything
  choice,   // one of a few words
  file,     // a path
  segment,  // the name of a segment, perhaps with that of something in it behind
};

struct ArgumentView {
  std::vector<std::string> names;  // "-l", "--long"; of an operand, its name in the help
  std::string type;                // how the help calls the value; empty: none
  std::string shown_default;
  std::string description;
  ValueKind kind = ValueKind::none;
  std::vector<std::string> choices;
  bool required = false;
  bool repeated = false;
};

struct CommandName {
  std::string name;
  std::string description;
};

struct CommandView {
  std::string path;  // "pool create"; empty: the tool itself
  std::string description;
  std::string footer;
  std::vector<ArgumentView> options;
  std::vector<ArgumentView> operands;
  std::vector<CommandName> commands;  // that may follow
};

// The tool first, then its commands, each before those below it. What the help does not show is left out.
std::vector<CommandView> command_views(const CLI::App& app);

}  // namespace sapbuf::tools
