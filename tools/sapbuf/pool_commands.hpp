// The subcommands of `sapbuf pool`; see commands.hpp.
#pragma once

#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

void add_pool_create(CLI::App& pool, Action& chosen);
void add_pool_rm(CLI::App& pool, Action& chosen);
void add_pool_ls(CLI::App& pool, Action& chosen);
void add_pool_grow(CLI::App& pool, Action& chosen);
void add_pool_trim(CLI::App& pool, Action& chosen);

}  // namespace sapbuf::tools
