// sapbuf queue peek and dead: what is in a queue, without taking anything.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/output.hpp"
#include "sapbuf/dump_lines.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/queue_commands.hpp"
#include "sapbuf/queue_text.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kContentBytes = 4096;

struct QueuePeekOptions {
  std::string name;
  std::uint64_t count = UINT64_MAX;
  bool json = false;
};

int show(const std::string& what, std::vector<QueueBlock> blocks, const QueuePeekOptions& options) {
  if (blocks.size() > options.count) blocks.resize(options.count);
  if (options.json) {
    std::string lines;
    for (const QueueBlock& block : blocks) lines += json_line(block_json(block));
    print(lines);
  } else if (blocks.empty()) {
    spdlog::info("no {} in {}", what, options.name);
  } else {
    print(block_table(blocks));
  }
  return kDone;
}

int peek(const QueuePeekOptions& options) {
  const FacilityName name = parse_queue_name(options.name);
  return show("blocks", list_blocks(name.segment, name.name, kContentBytes), options);
}

// Those that stay in the queue, and what is in the queue that they go to.
int dead(const QueuePeekOptions& options) {
  const FacilityName name = parse_queue_name(options.name);
  const Segment segment = Segment::open(name.segment);
  const Queue queue = Queue::open(segment, name.name);
  std::vector<QueueBlock> letters = list_blocks(queue, kContentBytes);
  std::erase_if(letters, [](const QueueBlock& block) { return block.state != "dead"; });
  if (const std::string elsewhere = queue.options().dead_letters; !elsewhere.empty()) {
    for (QueueBlock& block : list_blocks(Queue::open(segment, elsewhere), kContentBytes)) {
      letters.push_back(std::move(block));
    }
  }
  return show("dead letters", std::move(letters), options);
}

void add_options(CLI::App& command, const std::shared_ptr<QueuePeekOptions>& options) {
  command.add_option("SEGMENT/QUEUE", options->name, "The segment, and the queue's name in it")->required();
  add_count(
      command, "--count", "The first ones only", [options](std::uint64_t value) { options->count = value; }, "all");
  command.add_flag(
      "--json", options->json,
      "For programs: one object a line, with up to 4 KiB of each content (content_hex where that is not UTF-8)");
}

}  // namespace

int dump_queue(const FacilityName& name, bool json) { return peek({.name = name.text(), .json = json}); }

void add_queue_peek(CLI::App& queue, Action& chosen) {
  auto options = std::make_shared<QueuePeekOptions>();
  CLI::App* command = queue.add_subcommand("peek", "Show what is in a queue, and who has it; takes nothing");
  add_options(*command, options);
  command->callback([options, &chosen] { chosen = [options] { return peek(*options); }; });
}

void add_queue_dead(CLI::App& queue, Action& chosen) {
  auto options = std::make_shared<QueuePeekOptions>();
  CLI::App* command = queue.add_subcommand("dead", "Show a queue's dead letters, and who had them");
  add_options(*command, options);
  command->callback([options, &chosen] { chosen = [options] { return dead(*options); }; });
}

}  // namespace sapbuf::tools
