// soak: rounds of streams whose processes are killed, stopped and replaced at random, while every message is checked
// from end to end. Exit status 1 on any violation.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/log.hpp"
#include "common/stop.hpp"
#include "soak/clock.hpp"
#include "soak/picture.hpp"
#include "soak/report.hpp"
#include "soak/trials.hpp"

namespace sapbuf::soak {
namespace {

struct Options {
  std::uint64_t seconds = 300;
  std::uint64_t seed = std::random_device{}();
  std::uint64_t first_round = 0;
  std::uint64_t rounds = 0;    // 0: as many as the time allows
  std::uint64_t round_ms = 0;  // 0: 3000, or less so that the time allows all kinds
  std::string report;
  std::string watchdog = SOAK_WATCHDOG;
  bool quiet = false;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--seconds", options.seconds, "How long")->capture_default_str();
  app.add_option("--seed", options.seed, "Of everything that chance decides; random if not given");
  app.add_option("--first-round", options.first_round, "Begin with this one");
  app.add_option("--rounds", options.rounds, "At most so many; 0: as many as the time allows");
  app.add_option("--round-ms", options.round_ms,
                 "Length of a round; 0: 3 s, or less so that all kinds have their turn");
  app.add_option("--report", options.report, "Folder for soak.json, soak.md, soak.svg, and what is left of a failure");
  app.add_option("--watchdog", options.watchdog, "The sapbuf-watchdog to use")->capture_default_str();
  app.add_flag("--quiet", options.quiet, "No progress, and the table only on failure");
}

std::uint64_t round_length(const Options& options) {
  if (options.round_ms != 0) return options.round_ms * kMillisecond;
  return std::min(3 * kSecond, options.seconds * kSecond / (kRoundsOfAllKinds + 2));
}

void tell_progress(const Report& report, const Plan& plan) {
  spdlog::info("{:4.0f} s  round {}: {}; so far {} kills, {} committed, {} violations", report.seconds, plan.number,
               describe(plan), report.sum.producer_kills + report.sum.reader_kills + report.sum.watchdog_kills,
               tools::human_count(report.sum.written), report.sum.violations.size());
}

// Each trial once; with all its might where there is time for it.
void run_trials(const Options& options, Report& report) {
  constexpr std::uint64_t kLong = 120;
  for (const Trial& trial : trials()) {
    if (tools::stop_requested() || !report.sum.violations.empty()) return;
    const std::uint64_t started = now_ns();
    const std::string problem = run_trial(trial, {options.seed, options.seconds >= kLong});
    if (!options.quiet) spdlog::info("trial {}: {:.1f} s", trial.name, static_cast<double>(now_ns() - started) / 1e9);
    if (!problem.empty()) {
      report.sum.violations.push_back(fmt::format("{}: {}", trial.name, problem));
      report.repeat = fmt::format("soak --seed {} --rounds 1 --seconds {}", options.seed, options.seconds);
    }
  }
}

Report run_rounds(const Options& options) {
  const std::uint64_t started = now_ns();
  const RoundOptions round_options{options.watchdog, options.report, &tools::detail::stop_flag};
  Report report;
  report.seed = options.seed;
  const auto elapsed = [&] { return now_ns() - started; };
  const auto goes_on = [&] {
    return !tools::stop_requested() && report.sum.violations.empty() && elapsed() < options.seconds * kSecond &&
           (options.rounds == 0 || report.rounds < options.rounds);
  };
  for (std::uint64_t number = options.first_round; goes_on(); ++number) {
    const Plan plan = plan_round(options.seed, number, round_length(options));
    report.add(plan, run_round(plan, round_options));
    report.seconds = static_cast<double>(elapsed()) / 1e9;
    if (!options.quiet) tell_progress(report, plan);
    if (!report.sum.violations.empty()) {
      report.repeat = fmt::format("soak --seed {} --first-round {} --rounds 1 --round-ms {}", options.seed, number,
                                  plan.length_ns / kMillisecond);
    }
  }
  run_trials(options, report);
  if (::waitpid(-1, nullptr, WNOHANG) >= 0) report.sum.violations.push_back("a process is left");
  return report;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw tools::Failure(tools::kFailure, fmt::format("cannot write {}", path.string()));
}

void write_report(const std::filesystem::path& folder, const Report& report) {
  std::filesystem::create_directories(folder);
  write_file(folder / "soak.json", as_json(report));
  write_file(folder / "soak.md", as_markdown(report));
  write_file(folder / "soak.svg", picture(report));
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Kills, stops and replaces processes of streams at random, and checks every message.", "soak"};
  add_options(app, options);
  if (const auto over = tools::parse_command_line(app, argc, argv)) return *over;
  tools::catch_stop_signals();
  const Report report = run_rounds(options);
  const bool failed = !report.sum.violations.empty();
  if (!options.quiet || failed) fmt::print("{}", as_text(report));
  if (!options.report.empty()) write_report(options.report, report);
  return failed ? tools::kFailure : tools::kDone;
}

}  // namespace
}  // namespace sapbuf::soak

int main(int argc, char** argv) {
  sapbuf::tools::set_up_log("soak", sapbuf::tools::LogStyle::brief);
  return sapbuf::tools::run_and_report([&] { return sapbuf::soak::run(argc, argv); });
}
