// The subcommands of `sapbuf`. Each `add_...` declares its command line; if it is chosen, `chosen` is what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace sapbuf::tools {

// Returns the exit status, or throws.
using Action = std::function<int()>;

void add_create(CLI::App& app, Action& chosen);
void add_pool(CLI::App& app, Action& chosen);
void add_map(CLI::App& app, Action& chosen);
void add_queue(CLI::App& app, Action& chosen);
void add_rm(CLI::App& app, Action& chosen);
void add_ls(CLI::App& app, Action& chosen);
void add_pub(CLI::App& app, Action& chosen);
void add_sub(CLI::App& app, Action& chosen);
void add_readers(CLI::App& app, Action& chosen);
void add_record(CLI::App& app, Action& chosen);
void add_replay(CLI::App& app, Action& chosen);
void add_status(CLI::App& app, Action& chosen);
void add_dump(CLI::App& app, Action& chosen);
void add_doctor(CLI::App& app, Action& chosen);
void add_top(CLI::App& app, Action& chosen);
void add_metrics_command(CLI::App& app, Action& chosen);

}  // namespace sapbuf::tools
