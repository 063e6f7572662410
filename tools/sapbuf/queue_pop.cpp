// sapbuf queue pop: takes blocks, and writes them to standard output or runs a command for each.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/output.hpp"
#include "common/stop.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/framing.hpp"
#include "sapbuf/name_watch.hpp"
#include "sapbuf/queue_commands.hpp"
#include "sapbuf/queue_jobs.hpp"
#include "sapbuf/queue_text.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
constexpr milliseconds kLookAfterJobs{10};  // while there is room for another one
constexpr milliseconds kBeat{1000};         // while there is none: who looks after its commands does not hang

struct QueuePopOptions {
  std::string name;
  std::optional<std::string> command;
  Framing framing = Framing::lines;
  std::uint64_t jobs = 1;
  std::uint64_t count = UINT64_MAX;
  std::optional<milliseconds> idle_exit;
  milliseconds retry_after{1000};
  ConsumerOptions consumer;
};

// How long nothing came, and whether that is long enough to end.
class Idleness {
 public:
  explicit Idleness(std::optional<milliseconds> longest) : longest_(longest) {}
  void something_came() { since_ = Clock::now(); }
  bool is_over() const { return longest_ && Clock::now() - since_ >= *longest_; }
  milliseconds slice(milliseconds most) const {
    if (!longest_) return most;
    const auto idle = std::chrono::duration_cast<milliseconds>(Clock::now() - since_);
    return std::clamp(*longest_ - idle, milliseconds{0}, most);
  }

 private:
  const std::optional<milliseconds> longest_;
  Clock::time_point since_ = Clock::now();
};

// Where the blocks come from.
class Source {
 public:
  Source(const Queue& queue, const QueuePopOptions& options)
      : options_(options), queue_(queue), name_(queue), consumer_(queue, options.consumer) {}

  const Queue& queue() const noexcept { return queue_; }
  TakenBlocks take_for(std::size_t up_to, milliseconds longest) {
    TakenBlocks taken = consumer_.take_for(up_to, longest);
    check(taken.status());
    if (name_.is_due()) is_dry_ = name_.is_gone_without(Role::producer) && is_empty();
    return taken;
  }
  // The queue was removed, the last producer has left it, and all is done with that was there: behind take_for().
  bool is_dry() const noexcept { return is_dry_; }
  void give_sign_of_life() { static_cast<void>(consumer_.wait_for(milliseconds{0})); }

 private:
  void check(Status status) const {
    if (status == Status::ok || status == Status::timeout || status == Status::stopped || status == Status::not_found)
      return;
    throw Failure(exit_code(status), fmt::format("{}: {}", options_.name, to_string(status)));
  }
  // Also of blocks that somebody has, who may put them back.
  bool is_empty() const {
    const Snapshot snapshot = inspect(queue_.segment(), {.lag = false});
    const FacilitySnapshot* const found = find_queue(snapshot, queue_.name());
    if (found == nullptr || options_.consumer.group >= found->queue->groups.size()) return true;
    const QueueGroupSnapshot& group = found->queue->groups[options_.consumer.group];
    return group.queued == 0 && group.returned == 0 && group.held == 0;
  }

  const QueuePopOptions& options_;
  const Queue queue_;
  NameWatch name_;
  Consumer consumer_;
  bool is_dry_ = false;
};

// What is not out by then was not delivered: that is no block's fault.
void put_back_unwritten(TakenBlocks& taken) {
  for (TakenBlock& block : taken) block.retry();
}

void put_block(Output& output, Framing framing, const TakenBlock& block) {
  if (framing == Framing::json) return output.put(json_line(taken_json(block)));
  put_framed(output, framing, {reinterpret_cast<const char*>(block.bytes().data()), block.bytes().size()},
             block.type());
}

// False: nobody reads any more.
bool write_all(Output& output, Framing framing, TakenBlocks& taken) {
  try {
    for (const TakenBlock& block : taken) put_block(output, framing, block);
    output.flush();
  } catch (const Failure&) {
    put_back_unwritten(taken);
    throw;
  }
  if (output.closed()) put_back_unwritten(taken);
  return !output.closed();
}

// A block is done with once it was written.
void print_all(const QueuePopOptions& options, Source& source) {
  Output output;
  Idleness idleness{options.idle_exit};
  std::uint64_t left = options.count;
  while (left != 0 && !source.is_dry() && !stop_requested() && !output.look_if_closed()) {
    TakenBlocks taken = source.take_for(std::min<std::uint64_t>(left, kBatch), idleness.slice(kStopSlice));
    if (!write_all(output, options.framing, taken)) break;
    for (TakenBlock& block : taken) block.done();
    left -= taken.size();
    if (taken) {
      idleness.something_came();
    } else if (idleness.is_over()) {
      break;
    }
  }
}

// Until one of the commands has ended, or a signal came, or it is time for a sign of life. Returns how many have.
std::size_t look_after(Jobs& jobs, Source& source) {
  const std::size_t settled = jobs.settle(kBeat);
  source.give_sign_of_life();
  return settled;
}

void run_all(const QueuePopOptions& options, Source& source, Jobs& jobs) {
  Idleness idleness{options.idle_exit};
  std::uint64_t left = options.count;
  while (left != 0 && !source.is_dry() && !stop_requested() && !jobs.cannot_run()) {
    if ((jobs.is_full() ? look_after(jobs, source) : jobs.settle(milliseconds{0})) != 0) idleness.something_came();
    if (jobs.is_full() || jobs.cannot_run()) continue;
    const milliseconds slice = jobs.is_idle() ? idleness.slice(kStopSlice) : kLookAfterJobs;
    TakenBlocks taken = source.take_for(1, slice);
    if (taken) {
      idleness.something_came();
      --left;
      jobs.start(std::move(taken[0]));
    } else if (jobs.is_idle() && idleness.is_over()) {
      break;
    }
  }
  if (stop_requested() && !jobs.is_idle()) {
    spdlog::info("waiting for {}, and taking no more; another signal ends {}", counted(jobs.running(), "command"),
                 jobs.running() == 1 ? "it" : "them");
  }
  while (!jobs.is_idle()) look_after(jobs, source);
}

ExitCode pop_all(const QueuePopOptions& options, Source& source) {
  if (!options.command) {
    print_all(options, source);
    return kDone;
  }
  Jobs jobs{source.queue(), *options.command, options.jobs, options.retry_after};
  run_all(options, source, jobs);
  spdlog::info("{}", jobs.account());
  return jobs.all_succeeded() ? kDone : kFailure;
}

int pop(const QueuePopOptions& options) {
  const FacilityName name = parse_queue_name(options.name);
  Source source{Queue::open(Segment::open(name.segment), name.name), options};
  const ExitCode code = pop_all(options, source);
  if (!source.is_dry()) return code;
  spdlog::error("{} was removed, and nobody is left in it to push more", options.name);
  return kNoSegment;
}

}  // namespace

void add_queue_pop(CLI::App& queue, Action& chosen) {
  auto options = std::make_shared<QueuePopOptions>();
  CLI::App* command = queue.add_subcommand(
      "pop", "Take blocks, and write each as a line, or run a command for each; goes on until it is stopped");
  command->add_option("SEGMENT/QUEUE", options->name, "The segment, and the queue's name in it")->required();
  command->add_option("--name", options->consumer.name, "This consumer's name, for people");
  add_count(
      *command, "--group", "Its group",
      [options](std::uint64_t value) { options->consumer.group = static_cast<std::uint32_t>(value); }, "0", 0, 7);
  command->footer(
      "A first SIGINT, SIGTERM or SIGHUP (Ctrl-C) takes no more blocks and waits for the commands that run; a second "
      "one ends them, and their blocks are put back with no delivery counted. kill -9 of pop ends the commands' "
      "shells, "
      "but "
      "what those began may go on for a while, beside the next delivery of the same block.");
  CLI::Option* exec = add_words(
      *command, "--exec",
      "A command for /bin/sh, in which {} is the block's text, quoted, and which reads /dev/null: the block is done "
      "with if it succeeds, and put back if it fails or dies; one that is not found, or not executable (exit status "
      "127, 126), ends pop",
      [options](const std::string& text) { options->command = text; });
  CLI::Option* const json = command->add_flag_callback(
      "--json", [options] { options->framing = Framing::json; },
      "One JSON object for each block and line: position, deliveries, type, key, bytes, content (content_hex where it "
      "is not UTF-8)");
  const FramingFlags framing = add_framing(*command, options->framing, json);
  exec->excludes(json)->excludes(framing.null)->excludes(framing.length_prefix);
  add_count(
      *command, "--jobs", "Commands that run at once", [options](std::uint64_t value) { options->jobs = value; }, "1",
      1, 1024)
      ->needs(exec);
  add_milliseconds(
      *command, "--retry-after", "When a block whose command failed is handed out again",
      [options](milliseconds time) { options->retry_after = time; }, "1000")
      ->needs(exec);
  add_count(
      *command, "--count", "End after so many blocks", [options](std::uint64_t value) { options->count = value; },
      "for ever", 1);
  add_milliseconds(
      *command, "--idle-exit", "End when nothing came for so long; 0: take what is there and end",
      [options](milliseconds value) { options->idle_exit = value; }, "wait for ever");
  command->callback([options, &chosen] {
    chosen = [options] {
      options->consumer.stop = &detail::stop_flag;
      return pop(*options);
    };
  });
}

}  // namespace sapbuf::tools
