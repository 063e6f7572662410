// sapbuf queue create: a queue in a segment that is there.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/pool_text.hpp"
#include "sapbuf/queue_commands.hpp"
#include "sapbuf/tell_found.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::uint64_t kMostSlots = std::uint64_t{1} << 24;
constexpr std::uint64_t kMostBlocks = kMostSlots - 2;

struct QueueCreateOptions {
  std::string name;
  QueueOptions queue;
  bool if_absent = false;
};

void tell_created(const std::string& title, const Queue& queue) {
  const QueueOptions made = queue.options();
  const std::string pool = made.pool.empty() ? "of its own" : fmt::format("of pool {}", made.pool);
  const std::string own_pool = made.pool.empty() ? queue.name() + ".blocks" : "";
  spdlog::info("created {}: {}, blocks of {} in buffers {}, {}", title, counted(made.slots, "slot"),
               human_bytes(made.block_bytes), pool, size_with_pool(queue.segment(), queue.bytes(), own_pool));
}

int create(const QueueCreateOptions& options) {
  const FacilityName name = parse_queue_name(options.name);
  const Segment segment = Segment::open(name.segment);
  const Queue queue = options.if_absent ? Queue::open_or_create(segment, name.name, options.queue)
                                        : Queue::create(segment, name.name, options.queue);
  queue.created() ? tell_created(name.text(), queue) : tell_found(name.text(), queue.differences(options.queue));
  return kDone;
}

}  // namespace

void add_queue_create(CLI::App& queue, Action& chosen) {
  auto options = std::make_shared<QueueCreateOptions>();
  CLI::App* command = queue.add_subcommand("create", "Make a queue in a segment that is there, also one in use");
  command->add_option("SEGMENT/QUEUE", options->name, "The segment, and the queue's name in it")->required();
  CLI::Option* const block_bytes = add_size(
      *command, "--block-bytes", "Size of a block at the most",
      [options](std::uint64_t value) { options->queue.block_bytes = value; }, "4096");
  add_count(
      *command, "--slots", "Blocks that may wait; a power of two is made of it",
      [options](std::uint64_t value) { options->queue.slots = value; }, "1024", 1, kMostSlots);
  add_count(
      *command, "--groups", "Groups of consumers, each of which gets every block, 1 to 8",
      [options](std::uint64_t value) { options->queue.groups = static_cast<std::uint32_t>(value); }, "1", 1, 8);
  add_count(
      *command, "--max-deliveries", "A block that was delivered so often is a dead letter; 0: never",
      [options](std::uint64_t value) { options->queue.max_deliveries = static_cast<std::uint32_t>(value); }, "0", 0,
      1023);
  command->add_option("--dead-letters", options->queue.dead_letters,
                      "The queue that dead letters go to, made if it is not there; unless given, they stay");
  add_count(
      *command, "--keys", "Lanes for keys: blocks of one key are worked on one after the other; 0: keys mean nothing",
      [options](std::uint64_t value) { options->queue.keys = value; }, "0", 0, 65536);
  add_choice<OnFull>(*command, "--on-full", options->queue.on_full, {{"block", OnFull::block}, {"drop", OnFull::drop}},
                     "What a producer does when there is no room", "block");
  CLI::Option* const blocks = add_count(
      *command, "--blocks", "Buffers of its own pool at first; unless given, a quarter more than slots, and 256",
      [options](std::uint64_t value) { options->queue.blocks = value; }, "", 1, kMostBlocks);
  command
      ->add_option("--pool", options->queue.pool,
                   "A pool of the segment whose buffers are the blocks, instead of one of the queue's own")
      ->excludes(block_bytes)
      ->excludes(blocks);
  command->add_flag("--if-absent", options->if_absent,
                    "If it exists, leave it as it is, say what differs, and succeed if it can be used");
  command->callback([options, &chosen] { chosen = [options] { return create(*options); }; });
}

}  // namespace sapbuf::tools
