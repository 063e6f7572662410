// crash_sweep: a participant is killed at every moment of every operation; somebody recovers, and everything must be
// right: alone, beside a live participant that is stopped, and with a second death during the recovery. Prints what was
// tried, and what failed.
#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdio>
#include <map>
#include <random>

#include "step/chance.hpp"
#include "step/judge.hpp"
#include "step/moments.hpp"
#include "stream/stream_core.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

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

// One victim with all that surrounds it; made anew for each kill.
struct Experiment {
  virtual ~Experiment() = default;
  virtual std::string judge(Healer healer) = 0;
  std::unique_ptr<SharedBytes> bytes;
  std::unique_ptr<SteppedProcess> victim;
};
using MakeExperiment = std::function<std::unique_ptr<Experiment>()>;

std::span<const std::byte> bytes_of(const Diary& diary) { return std::as_bytes(std::span{&diary, 1}); }

// Where the participants' heartbeats are in the segment.
std::vector<std::size_t> heartbeats(const Segment& segment) {
  const layout::SegmentGeometry& geometry = segment.core()->geometry();
  std::vector<std::size_t> offsets;
  for (std::uint32_t slot = 0; slot < geometry.participants; ++slot) {
    offsets.push_back(geometry.slots_at + slot * sizeof(layout::ParticipantSlot) +
                      offsetof(layout::ParticipantSlot, heartbeat_ns));
  }
  return offsets;
}

class OperationExperiment final : public Experiment {
 public:
  OperationExperiment(const Operation& operation, const StopPoint* point) : world_(operation.order, operation.on_full) {
    if (point != nullptr && !world_.admit_bystander(*point)) throw std::runtime_error("this point is never come to");
    operation.before(world_);
    const auto timeout = point == nullptr ? 20'000ms : 0ms;
    const auto prepare = [&] { return operation.victim(Scene{world_.name, *diary_, kVictimId, timeout}); };
    victim = std::make_unique<SteppedProcess>(prepare);
    if (victim->state() != SteppedProcess::State::stepping) throw std::runtime_error("the victim cannot begin");
    bytes = std::make_unique<SharedBytes>(world_.name, bytes_of(*diary_), heartbeats(world_.segment));
  }
  std::string judge(Healer healer) override {
    const Departed victim_of_this{kVictimId, &*diary_};
    return test::judge(world_, std::span{&victim_of_this, 1}, healer);
  }
  const std::string& segment_name() const { return world_.name; }

 private:
  World world_;
  SharedDiary diary_;
};

class LifecycleExperiment final : public Experiment {
 public:
  explicit LifecycleExperiment(const Lifecycle& lifecycle) {
    lifecycle.before(name_);
    victim = std::make_unique<SteppedProcess>([&] {
      const std::string own = name_;
      return [&lifecycle, own] { lifecycle.act(own); };
    });
    bytes = std::make_unique<SharedBytes>(name_, std::span<const std::byte>{});
  }
  std::string judge(Healer) override { return judge_lifecycle(name_); }

 private:
  TestName name_;
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
  // stream never comes to the point, or the victim does not get to where it begins.
  std::uint64_t beside(const Operation& operation, const StopPoint& point) {
    const MakeExperiment make = [&] { return std::make_unique<OperationExperiment>(operation, &point); };
    Trace whole;
    try {
      whole = trace_once(make);
    } catch (const std::runtime_error&) {
      return 0;
    }
    const std::vector<std::size_t> chosen = chance_.some_of(whole.moments.size(), options_.sample);
    for (const std::size_t moment : chosen) {
      const Healer healer = moment % 2 == 0 ? Healer::recoverer : Healer::blocked_peer;
      kill_at(make, whole, moment, healer, point.name);
    }
    tally_.beside_kills += chosen.size();
    return chosen.size();
  }

  // Kills at a moment taken by chance, and then whoever recovers, at one of its own.
  void second_death(const Operation& operation) {
    OperationExperiment experiment{operation, nullptr};
    const std::size_t first = chance_.below(tally_.moments);
    trace(*experiment.victim, *experiment.bytes, first + 1);
    experiment.victim->kill();
    const std::string segment = experiment.segment_name();
    SteppedProcess recoverer{[&] {
      auto* const own = new Segment{Segment::open(segment)};  // stays open until the kill
      return [own] { recover(*own); };
    }};
    const std::size_t second = chance_.below(kRecoveryMoments);
    trace(recoverer, *experiment.bytes, second + 1);
    recoverer.kill();
    const Healer healer = chance_.below(2) == 0 ? Healer::recoverer : Healer::blocked_peer;
    const std::string problem = experiment.judge(healer);
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

std::vector<const StopPoint*> chosen_points(const Options& options, Chance& chance) {
  std::vector<const StopPoint*> all;
  for (const StopPoint& point : stop_points()) {
    if (wanted(options.beside_only, point.name)) all.push_back(&point);
  }
  if (options.beside == 0) return {};
  std::vector<const StopPoint*> some;
  for (const std::size_t index : chance.some_of(all.size(), options.beside)) some.push_back(all[index]);
  return some;
}

using KillsBeside = std::map<std::string_view, std::uint64_t>;  // by the name of the stop point

Tally sweep_operation(const Operation& operation, const Options& options, Chance& chance, KillsBeside& beside) {
  Sweep sweep{options, operation.name, chance};
  sweep.alone([&] { return std::make_unique<OperationExperiment>(operation, nullptr); });
  for (const StopPoint* point : chosen_points(options, chance)) {
    beside[point->name] += sweep.beside(operation, *point);
  }
  for (std::size_t i = 0; i < options.second_deaths; ++i) sweep.second_death(operation);
  return sweep.tally();
}

void list_names() {
  for (const Operation& operation : operations()) std::printf("%s\n", operation.name);
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
  const std::vector<std::size_t> chosen = chance.some_of(operations().size(), options.operations);
  Tally all;
  KillsBeside beside;
  const auto add = [&](const char* name, const Tally& tally) {
    print_row(name, tally);
    all += tally;
  };
  for (const std::size_t index : chosen) {
    const Operation& operation = operations()[index];
    if (wanted(options.only, operation.name)) add(operation.name, sweep_operation(operation, options, chance, beside));
  }
  for (const Lifecycle& lifecycle : lifecycles()) {
    if (!wanted(options.only, lifecycle.name)) continue;
    Sweep sweep{options, lifecycle.name, chance};
    sweep.alone([&] { return std::make_unique<LifecycleExperiment>(lifecycle); });
    add(lifecycle.name, sweep.tally());
  }
  print_row("all", all);
  if (chosen.size() == operations().size() && options.only.empty()) all.failures += count_points_not_met(beside);
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
