// Whether a reader's place outlives it, as the command line says it.
#pragma once

#include <CLI/CLI.hpp>
#include <sapbuf/sapbuf.hpp>

namespace sapbuf::tools {

// --durable, which needs `name`, and the limits of what is kept while the reader is away: --keep-bytes, --keep-for.
void add_durable(CLI::App& command, ReaderOptions& reader, CLI::Option* name);

}  // namespace sapbuf::tools
