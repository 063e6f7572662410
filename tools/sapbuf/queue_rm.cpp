// sapbuf queue rm: takes a queue out of its segment.
#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "sapbuf/queue_commands.hpp"
#include "sapbuf/rm_facility.hpp"

namespace sapbuf::tools {

void add_queue_rm(CLI::App& queue, Action& chosen) {
  auto name = std::make_shared<std::string>();
  auto force = std::make_shared<bool>(false);
  CLI::App* command = queue.add_subcommand("rm", "Remove a queue that nobody uses");
  command->add_option("SEGMENT/QUEUE", *name, "The segment, and the queue's name in it")->required();
  command->add_flag("--force", *force, "Also with blocks and dead letters in it, which go with it");
  command->callback([name, force, &chosen] {
    chosen = [name, force] {
      rm_facility(parse_queue_name(*name), "queue", &Queue::remove, *force);
      return kDone;
    };
  });
}

}  // namespace sapbuf::tools
