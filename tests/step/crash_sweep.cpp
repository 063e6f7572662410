// crash_sweep: a participant is killed at every moment of every operation; somebody recovers, and everything must be
// right: alone, beside a live participant that is stopped, and with a second death during the recovery. Prints what was
// tried, and what failed.
#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdio>
#include <map>
#include <random>

#include "step/chance.hpp"
#include "step/experiment.hpp"

namespace sapbuf::test {
namespace {

struct Options {
  std::vector<std::string> only;
  std::size_t operations = 0;  // so many of them; 0: all
  std::size_t sample = 0;      // moments of each operation; 0: all
  std::size_t beside = ~std::size_t{0};
  std::vector<std::string> beside_only;
  std::size_t second_deaths = 10;
  std::uint64_t seed = 0;
  bool list = false;
};

struct Tally {
  std::uint64_t instructions = 0;
  std::uint64_t moments = 0;
  std::uint64_t kills = 0;
  std::uint64_t beside_kills = 0;
  std::uint64_t second_deaths = 0;
  std::uint64_t failures = 0;

  Tally& operator+=(const Tally& other) {
    instructions += other.instructions;
    moments += other.moments;
    kills += other.kills;
    beside_kills += other.beside_kills;
    second_deaths += other.second_deaths;
    failures += other.failures;
    return *this;
  }
};

void print_head() {
  std::printf("%-30s %12s %8s %8s %14s %13s %8s\n", "operation", "instructions", "moments", "kills", "beside stopped",
              "second deaths", "failures");
}

void print_row(const char* name, const Tally& tally) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%-30s %12llu %8llu %8llu %14llu %13llu %8llu\n", name, number(tally.instructions), number(tally.moments),
              number(tally.kills), number(tally.beside_kills), number(tally.second_deaths), number(tally.failures));
  std::fflush(stdout);
}

class Sweep {
 public:
  Sweep(const Options& options, std::string name, Chance& chance)
      : options_(options), name_(std::move(name)), chance_(chance) {}

  // Kills at the moments of the operation, each time with both healers.
  std::uint64_t alone(const MakeExperiment& make) {
    const Trace whole = trace_once(make);
    tally_.instructions = whole.instructions;
    tally_.moments = whole.moments.size();
    std::uint64_t kills = 0;
    for (const std::size_t moment : chance_.some_of(whole.moments.size(), options_.sample)) {
      for (const Healer healer : {Healer::recoverer, Healer::blocked_peer}) {
        kill_at(make, whole, moment, healer, "");
        ++kills;
      }
    }
    return tally_.kills += kills;
  }

  // The same beside a stopped bystander, the healers in turn. Returns how many kills that were: none where this kind of
  // world never comes to the point, or the victim does not get to where it begins.
  std::uint64_t beside(const Beside& bystander) {
    Trace whole;
    try {
      whole = trace_once(bystander.make);
    } catch (const std::runtime_error&) {
      return 0;
    }
    const std::vector<std::size_t> chosen = chance_.some_of(whole.moments.size(), options_.sample);
    for (const std::size_t moment : chosen) {
      const Healer healer = moment % 2 == 0 ? Healer::recoverer : Healer::blocked_peer;
      kill_at(bystander.make, whole, moment, healer, bystander.point);
    }
    tally_.beside_kills += chosen.size();
    return chosen.size();
  }

  // Kills at a moment taken by chance, and then whoever recovers, at one of its own.
  void second_death(const MakeExperiment& make) {
    const auto experiment = make();
    const std::size_t first = chance_.below(tally_.moments);
    trace(*experiment->victim, *experiment->bytes, first + 1);
    experiment->victim->kill();
    SteppedProcess recoverer{[&] {
      auto* const own = new Segment{Segment::open(experiment->segment_name())};  // stays open until the kill
      return [own] { recover(*own); };
    }};
    const std::size_t second = chance_.below(kRecoveryMoments);
    trace(recoverer, *experiment->bytes, second + 1);
    recoverer.kill();
    const Healer healer = chance_.below(2) == 0 ? Healer::recoverer : Healer::blocked_peer;
    const std::string problem = experiment->judge(healer);
    ++tally_.second_deaths;
    if (!problem.empty()) {
      fail("moment " + std::to_string(first) + ", its recoverer at moment " + std::to_string(second), problem);
    }
  }

  const Tally& tally() const { return tally_; }

 private:
  // A recovery that has something to do has about so many.
  static constexpr std::size_t kRecoveryMoments = 60;

  Trace trace_once(const MakeExperiment& make) {
    const auto experiment = make();
    Trace whole = trace(*experiment->victim, *experiment->bytes);
    experiment->victim->kill();
    if (whole.broken) fail("the operation", "it cannot be stepped through");
    return whole;
  }

  void kill_at(const MakeExperiment& make, const Trace& whole, std::size_t moment, Healer healer,
               std::string_view beside) {
    auto experiment = make();
    if (!jump_to(*experiment->victim, *experiment->bytes, whole.moments[moment])) {
      experiment = make();
      trace(*experiment->victim, *experiment->bytes, moment + 1);
    }
    experiment->victim->kill();
    const std::string problem = experiment->judge(healer);
    if (problem.empty()) return;
    std::string where = "moment " + std::to_string(moment);
    if (!beside.empty()) where.append(" beside ").append(beside);
    where += healer == Healer::recoverer ? ", healed by a recoverer" : ", healed by a blocked peer";
    fail(where, problem);
  }

  void fail(const std::string& where, const std::string& problem) {
    ++tally_.failures;
    std::printf("FAILED %s, killed at %s (seed %llu): %s\n", name_.c_str(), where.c_str(),
                static_cast<unsigned long long>(chance_.seed()), problem.c_str());
    std::fflush(stdout);
  }

  const Options& options_;
  std::string name_;
  Chance& chance_;
  Tally tally_;
};

bool wanted(const std::vector<std::string>& only, std::string_view name) {
  return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
}

std::vector<Beside> chosen_bystanders(const Operation& operation, const Options& options, Chance& chance) {
  std::vector<Beside> all;
  for (const Beside& bystander : operation.beside) {
    if (wanted(options.beside_only, bystander.point)) all.push_back(bystander);
  }
  if (options.beside == 0) return {};
  std::vector<Beside> some;
  for (const std::size_t index : chance.some_of(all.size(), options.beside)) some.push_back(all[index]);
  return some;
}

using KillsBeside = std::map<std::string_view, std::uint64_t>;  // by the name of the stop point

Tally sweep_operation(const Operation& operation, const Options& options, Chance& chance, KillsBeside& beside) {
  Sweep sweep{options, operation.name, chance};
  sweep.alone(operation.alone);
  for (const Beside& bystander : chosen_bystanders(operation, options, chance)) {
    beside[bystander.point] += sweep.beside(bystander);
  }
  for (std::size_t i = 0; i < options.second_deaths; ++i) sweep.second_death(operation.alone);
  return sweep.tally();
}

std::vector<Operation> all_operations() {
  std::vector<Operation> all = stream_operations();
  for (Operation& operation : pool_operations()) all.push_back(std::move(operation));
  for (Operation& operation : map_operations()) all.push_back(std::move(operation));
  for (Operation& operation : queue_operations()) all.push_back(std::move(operation));
  return all;
}

void list_names() {
  for (const Operation& operation : all_operations()) std::printf("%s\n", operation.name);
  for (const Lifecycle& lifecycle : lifecycles()) std::printf("%s\n", lifecycle.name);
}

// Of all operations, at least one must have been tried beside a bystander that is stopped there.
std::uint64_t count_points_not_met(const KillsBeside& beside) {
  std::uint64_t count = 0;
  for (const auto& [name, kills] : beside) {
    if (kills != 0) continue;
    ++count;
    std::printf("FAILED: no bystander was ever stopped at %s\n", std::string(name).c_str());
  }
  return count;
}

int sweep_all(const Options& options) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  print_head();
  Chance chance{options.seed};
  const std::vector<Operation> operations = all_operations();
  const std::vector<std::size_t> chosen = chance.some_of(operations.size(), options.operations);
  Tally all;
  KillsBeside beside;
  const auto add = [&](const char* name, const Tally& tally) {
    print_row(name, tally);
    all += tally;
  };
  for (const std::size_t index : chosen) {
    const Operation& operation = operations[index];
    if (wanted(options.only, operation.name)) add(operation.name, sweep_operation(operation, options, chance, beside));
  }
  for (const Lifecycle& lifecycle : lifecycles()) {
    if (!wanted(options.only, lifecycle.name)) continue;
    Sweep sweep{options, lifecycle.name, chance};
    sweep.alone(lifecycle.alone);
    add(lifecycle.name, sweep.tally());
  }
  print_row("all", all);
  if (chosen.size() == operations.size() && options.only.empty()) all.failures += count_points_not_met(beside);
  return all.failures == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  CLI::App app{"Kills a participant at every moment of every operation, and checks what is left."};
  Options options;
  options.seed = std::random_device{}();
  app.add_option("operation", options.only, "Which operations; all if none is named");
  app.add_option("--operations", options.operations, "Try only so many operations, taken by chance; 0: all");
  app.add_option("--sample", options.sample, "Try only so many moments of each operation, taken by chance; 0: all");
  app.add_option("--beside", options.beside, "Repeat it beside bystanders stopped at so many points, taken by chance");
  app.add_option("--beside-point", options.beside_only, "Which stop points of bystanders; all if none is named");
  app.add_option("--second-deaths", options.second_deaths, "How often each operation's recoverer is killed too");
  app.add_option("--seed", options.seed, "Of what is taken by chance");
  app.add_flag("--list", options.list, "Name the operations and leave");
  CLI11_PARSE(app, argc, argv);
  if (options.list) {
    list_names();
    return 0;
  }
  if (!can_step()) {
    std::printf("skipped: this machine does not let a process step through its child (ptrace)\n");
    return 77;  // ctest: skipped
  }
  return sweep_all(options);
}

}  // namespace
}  // namespace sapbuf::test

int main(int argc, char** argv) { return sapbuf::test::run(argc, argv); }
