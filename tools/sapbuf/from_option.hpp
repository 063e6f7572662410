// Where a reader begins, as the command line says it.
#pragma once

#include <CLI/CLI.hpp>
#include <sapbuf/sapbuf.hpp>

namespace sapbuf::tools {

// --from oldest|newest
void add_from(CLI::App& command, From& from);

}  // namespace sapbuf::tools
