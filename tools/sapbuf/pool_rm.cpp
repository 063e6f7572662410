// sapbuf pool rm: takes a pool out of a segment.
#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "sapbuf/pool_commands.hpp"
#include "sapbuf/rm_facility.hpp"

namespace sapbuf::tools {

void add_pool_rm(CLI::App& pool, Action& chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = pool.add_subcommand("rm", "Remove a pool that nobody uses");
  command->add_option("SEGMENT/POOL", *name, "The segment, and the pool's name in it")->required();
  command->callback([name, &chosen] {
    chosen = [name] {
      rm_facility(parse_pool_name(*name), "pool", &Pool::remove);
      return kDone;
    };
  });
}

}  // namespace sapbuf::tools
