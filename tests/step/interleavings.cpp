// interleavings: two or three participants in the midst of their operations, in every order that a few preemptions
// make.
//
//   one preemption    A stops behind its k-th instruction; B runs its whole operation; A goes on.   every k
//   two               A stops at a moment, B stops at a moment; A runs to its end, then B.          every pair
//   three actors      A stops at a moment, B stops at a moment, C runs; then B, A.                  taken by chance
//
// Every order that is tried is repeatable, and afterwards the oracle of the crash sweep looks at everything.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <random>

#include "step/chance.hpp"
#include "step/scenery.hpp"

namespace sapbuf::test {
namespace {

// An operation of more instructions than this is preempted at its moments only.
constexpr std::uint64_t kManyInstructions = 3000;

struct Options {
  std::vector<std::string> only;
  std::size_t sample = 0;  // points of each pair; 0: all
  std::size_t triples = 200;
  std::uint64_t seed = 0;
  bool list = false;
};

struct Tally {
  std::uint64_t points = 0;  // at which the first one can be preempted
  std::uint64_t orders = 0;
  std::uint64_t failures = 0;

  Tally& operator+=(const Tally& other) {
    points += other.points;
    orders += other.orders;
    failures += other.failures;
    return *this;
  }
};

class Explorer {
 public:
  Explorer(const Options& options, const Stage& stage, Chance& chance)
      : options_(options), stage_(stage), chance_(chance) {}

  Tally one_preemption(std::size_t first, std::size_t second) {
    tally_ = {};
    const std::size_t actors[] = {first, second};
    const Way& way = way_of(first);
    tally_.points = way.points.moments.size();
    for (const std::size_t point : chance_.some_of(tally_.points, options_.sample)) {
      const auto scenery = stage_.make(actors);
      jump_to(scenery->process(0), scenery->bytes(), way.points.moments[point], way.detail);
      scenery->process(1).run_to_end();
      conclude(*scenery, actors, "instruction " + std::to_string(way.points.moments[point].instructions));
    }
    return tally_;
  }

  Tally two_preemptions(std::size_t first, std::size_t second) {
    tally_ = {};
    const std::size_t actors[] = {first, second};
    const std::vector<Moment>& mine = way_of(first).moments.moments;
    const std::vector<Moment>& theirs = way_of(second).moments.moments;
    tally_.points = mine.size() * theirs.size();
    for (const std::size_t pair : chance_.some_of(tally_.points, options_.sample)) {
      const auto scenery = stage_.make(actors);
      jump_to(scenery->process(0), scenery->bytes(), mine[pair / theirs.size()]);
      // Disturbed by the first one, it may go another way, and come to its end without passing here.
      jump_to(scenery->process(1), scenery->bytes(), theirs[pair % theirs.size()]);
      conclude(*scenery, actors,
               "moments " + std::to_string(pair / theirs.size()) + " and " + std::to_string(pair % theirs.size()));
    }
    return tally_;
  }

  Tally three_actors() {
    tally_ = {};
    for (std::size_t i = 0; i < options_.triples; ++i) {
      const std::size_t actors[] = {any(), any(), any()};
      const std::vector<Moment>& first = way_of(actors[0]).moments.moments;
      const std::vector<Moment>& second = way_of(actors[1]).moments.moments;
      const std::size_t at = chance_.below(first.size());
      const std::size_t then_at = chance_.below(second.size());
      const auto scenery = stage_.make(actors);
      jump_to(scenery->process(0), scenery->bytes(), first[at]);
      jump_to(scenery->process(1), scenery->bytes(), second[then_at]);
      scenery->process(2).run_to_end();
      scenery->process(1).run_to_end();
      conclude(*scenery, actors, "moments " + std::to_string(at) + " and " + std::to_string(then_at));
    }
    return tally_;
  }

 private:
  // How an actor goes through its operation when nobody disturbs it.
  struct Way {
    Trace moments;
    Detail detail = Detail::moments;
    Trace points;  // at which it is preempted once: every instruction, or its moments if it has too many
  };

  const Way& way_of(std::size_t actor) {
    const auto [found, is_new] = ways_.try_emplace(actor);
    Way& way = found->second;
    if (!is_new) return way;
    way.moments = trace_alone(actor, Detail::moments);
    if (way.moments.instructions <= kManyInstructions) way.detail = Detail::instructions;
    way.points = way.detail == Detail::moments ? way.moments : trace_alone(actor, Detail::instructions);
    return way;
  }

  // Not quite alone: with a second one of its kind in place, as later.
  Trace trace_alone(std::size_t actor, Detail detail) {
    const std::size_t actors[] = {actor, actor};
    const auto scenery = stage_.make(actors);
    return trace(scenery->process(0), scenery->bytes(), ~std::size_t{0}, detail);
  }

  void conclude(Scenery& scenery, std::span<const std::size_t> actors, const std::string& where) {
    ++tally_.orders;
    const std::string problem = scenery.judge();
    if (problem.empty()) return;
    ++tally_.failures;
    std::printf("FAILED %s:", stage_.name);
    for (const std::size_t actor : actors) std::printf(" %s", stage_.actors[actor]);
    std::printf(", preempted at %s (seed %llu): %s\n", where.c_str(), static_cast<unsigned long long>(chance_.seed()),
                problem.c_str());
    std::fflush(stdout);
  }

  std::size_t any() { return chance_.below(stage_.actors.size()); }

  const Options& options_;
  const Stage& stage_;
  Chance& chance_;
  std::map<std::size_t, Way> ways_;  // by actor
  Tally tally_;
};

void print_row(const char* stage, const char* kind, const Tally& tally) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%-20s %-16s %10llu %10llu %10llu\n", stage, kind, number(tally.points), number(tally.orders),
              number(tally.failures));
  std::fflush(stdout);
}

Tally explore(const Options& options, const Stage& stage, Chance& chance) {
  Explorer explorer{options, stage, chance};
  Tally one;
  Tally two;
  for (std::size_t first = 0; first < stage.actors.size(); ++first) {
    for (std::size_t second = 0; second < stage.actors.size(); ++second) {
      one += explorer.one_preemption(first, second);
      two += explorer.two_preemptions(first, second);
    }
  }
  print_row(stage.name, "one preemption", one);
  print_row(stage.name, "two", two);
  const Tally three = explorer.three_actors();
  print_row(stage.name, "three actors", three);
  Tally all = one;
  all += two;
  all += three;
  return all;
}

std::vector<Stage> all_stages() {
  std::vector<Stage> all = stream_stages();
  for (Stage& stage : pool_stages()) all.push_back(std::move(stage));
  for (Stage& stage : map_stages()) all.push_back(std::move(stage));
  for (Stage& stage : queue_stages()) all.push_back(std::move(stage));
  return all;
}

int run(int argc, char** argv) {
  CLI::App app{"Takes two and three participants through their operations in every order that a few preemptions make."};
  Options options;
  options.seed = std::random_device{}();
  app.add_option("stage", options.only, "Which stages; all if none is named");
  app.add_option("--sample", options.sample, "Try only so many points of each pair, taken by chance; 0: all");
  app.add_option("--triples", options.triples, "How many orders of three actors to try in each stage");
  app.add_option("--seed", options.seed, "Of what is taken by chance");
  app.add_flag("--list", options.list, "Name the stages and leave");
  CLI11_PARSE(app, argc, argv);
  if (!options.list && !can_step()) {
    std::printf("skipped: this machine does not let a process step through its child (ptrace)\n");
    return 77;  // ctest: skipped
  }
  Chance chance{options.seed};
  Tally all;
  if (!options.list) {
    std::printf("seed %llu\n%-20s %-16s %10s %10s %10s\n", static_cast<unsigned long long>(options.seed), "stage", "",
                "points", "orders", "failures");
  }
  for (const Stage& stage : all_stages()) {
    if (!options.only.empty() &&
        std::find(options.only.begin(), options.only.end(), stage.name) == options.only.end()) {
      continue;
    }
    if (options.list) {
      std::printf("%s\n", stage.name);
    } else {
      all += explore(options, stage, chance);
    }
  }
  if (!options.list) print_row("all", "", all);
  return all.failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sapbuf::test

int main(int argc, char** argv) { return sapbuf::test::run(argc, argv); }
