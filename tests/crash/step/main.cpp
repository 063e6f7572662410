// step_sweep: a participant is killed after every single instruction of every operation; then recovery runs, by a
// recoverer or by a blocked peer, and everything must be right. Prints how many points were tried, and what failed.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <random>

#include "crash/step/operations.hpp"
#include "crash/step/stepper.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::vector<std::string> only;
  std::uint64_t from = 1;
  std::uint64_t stride = 1;
  std::uint64_t points = 0;  // 0: all
  bool list = false;
};

// For whoever has to find out what went wrong.
std::string describe(const Snapshot& now) {
  std::string text;
  for (const SlabSnapshot& slab : now.slabs) {
    text += "  slab " + std::to_string(slab.index) + ": generation " + std::to_string(slab.generation) + " " +
            slab.state + ", " + std::to_string(slab.used_bytes) + " bytes, held by";
    for (const std::string& name : slab.held_by) text += " " + name;
    text += "\n";
  }
  for (const ParticipantSnapshot& one : now.participants) {
    text += "  " + one.name + ": " + std::string(to_string(one.state)) + (one.in_operation ? ", in operation\n" : "\n");
  }
  return text;
}

// What is wrong after a kill; empty if nothing is.
std::string judge(const Operation& operation, World& world, const Diary& diary, bool by_peer) {
  // A fresh participant attaches, and everybody who lives makes progress; by a blocked peer, nobody else runs recovery.
  if (!by_peer && !eventually([&] { return !recover(world.segment).pending; })) return "recovery never ends";
  {
    // Audience and writers share this thread, so a writer that must wait for the audience comes back and lets it read.
    Writer fresh{world.segment, {.name = "fresh", .timeout = 10ms}};
    for (std::uint32_t number = 0; number < 30; ++number) {
      const auto message = make_message(7, number);
      const bool written =
          world.audience->read_until([&] { return fresh.write(std::span<const std::byte>{message}) == Status::ok; });
      if (!written) return "a fresh writer cannot write\n" + describe(inspect(world.segment));
    }
  }
  world.write(8);
  recover(world.segment);
  world.peer->close();
  while (world.audience->read_some(0ms) != 0) {
  }
  if (world.audience->torn() != 0) return "a torn message was delivered";
  const Snapshot now = inspect(world.segment);
  if (now.participants.size() != 1) return "a slot was not released";
  const Ledger& reader = now.participants.front().ledger;
  if (now.departed.committed != reader.delivered + reader.lost) {
    return "the ledger does not balance: committed " + std::to_string(now.departed.committed) + ", delivered " +
           std::to_string(reader.delivered) + ", lost " + std::to_string(reader.lost);
  }
  if (operation.on_full == OnFull::overwrite) return {};
  if (world.audience->numbers_of(7).size() != 30) return "messages of a live writer were lost";
  const auto& got = world.audience->numbers_of(kVictimId);
  if (!std::is_sorted(got.begin(), got.end())) return "the victim's messages came out of order";
  if (got.size() < diary.committed.load()) return "a committed message was lost";
  if (got.size() > diary.committed.load() + 1) return "a message came twice";
  return {};
}

struct Tally {
  std::uint64_t points = 0;
  std::uint64_t instructions = 0;
  std::uint64_t failures = 0;
};

void tell(const char* name, const Tally& tally) {
  std::printf("%-30s %8llu instructions %8llu points %4llu failures\n", name,
              static_cast<unsigned long long>(tally.instructions), static_cast<unsigned long long>(tally.points),
              static_cast<unsigned long long>(tally.failures));
  std::fflush(stdout);
}

// Calls `kill_at(k)` for k = 1, 1 + stride, ... until it says that the operation was over.
Tally sweep(const char* name, std::uint64_t from, std::uint64_t stride,
            const std::function<StepResult(std::uint64_t, std::string&)>& kill_at) {
  Tally tally;
  for (std::uint64_t k = from;; k += stride) {
    std::string problem;
    const StepResult result = kill_at(k, problem);
    ++tally.points;
    tally.instructions = std::max(tally.instructions, result.steps);
    if (result.failed) problem = "the child could not be stepped";
    if (!problem.empty()) {
      ++tally.failures;
      std::printf("%s, killed after instruction %llu: %s\n", name, static_cast<unsigned long long>(k), problem.c_str());
      std::fflush(stdout);
      if (tally.failures > 20) break;
    }
    if (result.finished || result.failed) break;
  }
  return tally;
}

// So that about `points` are tried, the operation is measured once.
std::uint64_t stride_for(const Options& options, std::uint64_t instructions) {
  if (options.points == 0) return options.stride;
  return std::max<std::uint64_t>(1, instructions / options.points);
}

Tally sweep_operation(const Operation& operation, const Options& options) {
  const auto run = [&](std::uint64_t k, std::string& problem) {
    World world{operation.order, operation.on_full};
    operation.before(world);
    const SharedDiary diary;
    const std::string name = world.name;
    const StepResult result = kill_after(k, [&] { return operation.victim(name, *diary); });
    if (!result.failed) problem = judge(operation, world, *diary, k % 2 == 0);
    return result;
  };
  std::string problem;
  const std::uint64_t length = options.points == 0 ? 0 : run(~std::uint64_t{0}, problem).steps;
  return sweep(operation.name, options.from, stride_for(options, length), run);
}

Tally sweep_lifecycle(const Lifecycle& lifecycle, const Options& options) {
  const auto run = [&](std::uint64_t k, std::string& problem) {
    const TestName name;
    if (lifecycle.exists_before) Segment::create(name, {.slab_bytes = 4096});
    const StepResult result = kill_after(k, [&] {
      const std::string own = name;
      return [&lifecycle, own] { lifecycle.act(own); };
    });
    const Segment segment = Segment::open_or_create(name, {.slab_bytes = 4096});
    Audience audience{segment};
    Writer writer{segment};
    write_messages(writer, 1, 0, 3, nullptr);
    audience.read_some(10s);
    if (audience.total() != 3) problem = "the segment does not work";
    return result;
  };
  std::string problem;
  const std::uint64_t length = options.points == 0 ? 0 : run(~std::uint64_t{0}, problem).steps;
  return sweep(lifecycle.name, options.from, stride_for(options, length), run);
}

bool wanted(const Options& options, const char* name) {
  return options.only.empty() || std::find(options.only.begin(), options.only.end(), name) != options.only.end();
}

int run(int argc, char** argv) {
  CLI::App app{"Kills a participant after every instruction of every operation, and checks what is left."};
  Options options;
  app.add_option("operation", options.only, "Which operations; all if none is named");
  app.add_option("--stride", options.stride, "Kill after every N-th instruction only")->check(CLI::PositiveNumber);
  app.add_option("--from", options.from, "The first instruction to kill after")->check(CLI::PositiveNumber);
  app.add_option("--points", options.points,
                 "About so many points for each operation, evenly spread; 0: as --stride says");
  app.add_flag("--list", options.list, "Name the operations and leave");
  CLI11_PARSE(app, argc, argv);
  if (!can_step()) {
    std::printf("this machine does not let a process step through its child (ptrace): nothing was tried\n");
    return 77;  // ctest: skipped
  }
  Tally all;
  const auto add = [&](const char* name, const Tally& tally) {
    tell(name, tally);
    all.points += tally.points;
    all.failures += tally.failures;
    all.instructions += tally.instructions;
  };
  for (const Operation& operation : operations()) {
    if (!wanted(options, operation.name)) continue;
    if (options.list) {
      std::printf("%s\n", operation.name);
    } else {
      add(operation.name, sweep_operation(operation, options));
    }
  }
  for (const Lifecycle& lifecycle : lifecycles()) {
    if (!wanted(options, lifecycle.name)) continue;
    if (options.list) {
      std::printf("%s\n", lifecycle.name);
    } else {
      add(lifecycle.name, sweep_lifecycle(lifecycle, options));
    }
  }
  if (!options.list) tell("all", all);
  return all.failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sapbuf::test

int main(int argc, char** argv) { return sapbuf::test::run(argc, argv); }
