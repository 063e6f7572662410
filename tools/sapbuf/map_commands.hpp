// The subcommands of `sapbuf map`; see commands.hpp.
#pragma once

#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

void add_map_create(CLI::App& map, Action& chosen);
void add_map_rm(CLI::App& map, Action& chosen);
void add_map_ls(CLI::App& map, Action& chosen);
void add_map_get(CLI::App& map, Action& chosen);
void add_map_put(CLI::App& map, Action& chosen);
void add_map_export(CLI::App& map, Action& chosen);
void add_map_import(CLI::App& map, Action& chosen);
void add_map_watch(CLI::App& map, Action& chosen);

}  // namespace sapbuf::tools
