// What is made of a tool's command line when it is built: its manual page, and completions for shells.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "common/command_view.hpp"

namespace sapbuf::tools {

// `TOOL --reference man|bash|zsh|fish`, which no help shows, prints that to standard output. Returns the exit status;
// nothing if the command line is another one.
std::optional<int> print_reference(const CLI::App& app, int argc, char** argv);

// Section 1, from NAME to what the help has at its end: sections may be added behind.
std::string manual_page(const std::string& tool, const std::string& version, const std::vector<CommandView>& commands);

// To be sourced, or put where the shell looks for it. Commands, options, and values of few words are completed; names
// of segments from /dev/shm.
std::string bash_completion(const std::string& tool, const std::vector<CommandView>& commands);
std::string zsh_completion(const std::string& tool, const std::vector<CommandView>& commands);
std::string fish_completion(const std::string& tool, const std::vector<CommandView>& commands);

}  // namespace sapbuf::tools
