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
  CLI::App* command = queue.add_subcommand("rm", "Remove a queue that nobody uses, with what is in it");
  command->add_option("SEGMENT/QUEUE", *name, "The segment, and the queue's name in it")->required();
  command->callback([name, &chosen] {
    chosen = [name] {
      rm_facility(parse_queue_name(*name), "queue", &Queue::remove);
      return kDone;
    };
  });
}

}  // namespace sapbuf::tools
