// sapbuf queue retry and discard: what becomes of dead letters, those that stay in their queue and those that went to
// another one.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/queue_commands.hpp"

namespace sapbuf::tools {

namespace {

struct QueueLettersOptions {
  std::string name;
  std::uint64_t count = UINT64_MAX;
};

void check_letters(const std::string& queue, Status status) {
  if (status == Status::ok || status == Status::not_found) return;
  throw Failure(exit_code(status), fmt::format("{}: {}", queue, to_string(status)));
}

// All that are there are taken before anything is done with them: one that dies once more meanwhile is not met again.
template <typename Act>
std::uint64_t for_each_staying(const Queue& queue, std::uint64_t count, Act act) {
  std::uint64_t acted = 0;
  for (std::uint32_t group = 0; group < queue.options().groups && acted < count; ++group) {
    Consumer reader{queue, {.name = "dead letters", .group = group}};
    TakenBlocks letters = reader.take_dead(count - acted);
    check_letters(queue.name(), letters.status());
    for (TakenBlock& letter : letters) act(letter);
    acted += letters.size();
  }
  return acted;
}

template <typename Act>
std::uint64_t for_each_elsewhere(const Queue& queue, std::uint64_t count, Act act) {
  const std::string elsewhere = queue.options().dead_letters;
  if (elsewhere.empty() || count == 0) return 0;
  const Queue failed = Queue::open(queue.segment(), elsewhere);
  Consumer reader{failed, {.name = "dead letters"}};
  TakenBlocks letters = reader.take(std::min<std::uint64_t>(count, list_blocks(failed).size()));
  check_letters(elsewhere, letters.status());
  for (TakenBlock& letter : letters) act(letter);
  return letters.size();
}

Queue open_for_letters(const QueueLettersOptions& options) {
  const FacilityName name = parse_queue_name(options.name);
  return Queue::open(Segment::open(name.segment), name.name);
}

int retry(const QueueLettersOptions& options) {
  const Queue queue = open_for_letters(options);
  std::uint64_t retried = for_each_staying(queue, options.count, [](TakenBlock& letter) { letter.retry(); });
  Producer producer{queue, {.name = "dead letters"}};
  retried += for_each_elsewhere(queue, options.count - retried, [&](TakenBlock& letter) {
    if (const Status status = letter.pass_to(producer); status != Status::ok) {
      throw Failure(exit_code(status), fmt::format("{}: {}", options.name, to_string(status)));
    }
  });
  spdlog::info("{} handed out again by {}", counted(retried, "dead letter"), options.name);
  return kDone;
}

int discard(const QueueLettersOptions& options) {
  const Queue queue = open_for_letters(options);
  const auto finish = [](TakenBlock& letter) { letter.done(); };
  std::uint64_t discarded = for_each_staying(queue, options.count, finish);
  discarded += for_each_elsewhere(queue, options.count - discarded, finish);
  spdlog::info("{} of {} discarded", counted(discarded, "dead letter"), options.name);
  return kDone;
}

void add_letters(CLI::App& queue, Action& chosen, const char* name, const char* what,
                 int (*act)(const QueueLettersOptions&)) {
  auto options = std::make_shared<QueueLettersOptions>();
  CLI::App* command = queue.add_subcommand(name, what);
  command->add_option("SEGMENT/QUEUE", options->name, "The segment, and the queue's name in it")->required();
  add_count(
      *command, "--count", "So many at the most", [options](std::uint64_t value) { options->count = value; }, "all", 1);
  command->callback([options, act, &chosen] { chosen = [options, act] { return act(*options); }; });
}

}  // namespace

void add_queue_retry(CLI::App& queue, Action& chosen) {
  add_letters(
      queue, chosen, "retry",
      "Hand a queue's dead letters out again, as if they had never been delivered; also all blocks of the queue "
      "that its dead letters go to",
      retry);
}

void add_queue_discard(CLI::App& queue, Action& chosen) {
  add_letters(queue, chosen, "discard",
              "Let go of a queue's dead letters; also of all blocks of the queue that its dead letters go to", discard);
}

}  // namespace sapbuf::tools
