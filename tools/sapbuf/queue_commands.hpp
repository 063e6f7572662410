// The subcommands of `sapbuf queue`; see commands.hpp.
#pragma once

#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

void add_queue_create(CLI::App& queue, Action& chosen);
void add_queue_rm(CLI::App& queue, Action& chosen);
void add_queue_ls(CLI::App& queue, Action& chosen);
void add_queue_push(CLI::App& queue, Action& chosen);
void add_queue_pop(CLI::App& queue, Action& chosen);
void add_queue_peek(CLI::App& queue, Action& chosen);
void add_queue_dead(CLI::App& queue, Action& chosen);
void add_queue_retry(CLI::App& queue, Action& chosen);
void add_queue_discard(CLI::App& queue, Action& chosen);

}  // namespace sapbuf::tools
