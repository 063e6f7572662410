// sapbuf queue: the queues of a segment, and what is in them.
#include "sapbuf/queue_commands.hpp"

namespace sapbuf::tools {

void add_queue(CLI::App& app, Action& chosen) {
  CLI::App* queue = app.add_subcommand("queue", "Queues of blocks: make, list and remove them; push, pop and look");
  queue->require_subcommand(1);
  queue->footer(
      "sapbuf create work --no-stream; sapbuf queue create work/jobs\n"
      "find . -name '*.gz' -print0 | sapbuf queue push work/jobs --null\n"
      "sapbuf queue pop work/jobs --jobs 4 --exec 'gunzip -t {}'\n"
      "A block whose consumer dies, or whose command fails, goes to another one. 'sapbuf status SEGMENT/QUEUE' shows "
      "who works.");
  add_queue_create(*queue, chosen);
  add_queue_ls(*queue, chosen);
  add_queue_push(*queue, chosen);
  add_queue_pop(*queue, chosen);
  add_queue_peek(*queue, chosen);
  add_queue_dead(*queue, chosen);
  add_queue_retry(*queue, chosen);
  add_queue_discard(*queue, chosen);
  add_queue_rm(*queue, chosen);
}

}  // namespace sapbuf::tools
