// sapbuf pool: the pools of a segment.
#include "sapbuf/pool_commands.hpp"

namespace sapbuf::tools {

void add_pool(CLI::App& app, Action& chosen) {
  CLI::App* pool = app.add_subcommand("pool", "Pools of buffers: make, remove and list them, let them grow and shrink");
  pool->require_subcommand(1);
  pool->footer("'sapbuf create --pool' makes them with their segment; 'sapbuf status SEGMENT/POOL' shows one in full.");
  add_pool_create(*pool, chosen);
  add_pool_rm(*pool, chosen);
  add_pool_ls(*pool, chosen);
  add_pool_grow(*pool, chosen);
  add_pool_trim(*pool, chosen);
}

}  // namespace sapbuf::tools
