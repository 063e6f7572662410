// sapbuf-bench: how fast it is here, beside what else one would take.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "common/reference.hpp"
#include "goals.hpp"
#include "pictures.hpp"
#include "scenarios.hpp"
#include "supervisor.hpp"

namespace sapbuf::bench {

namespace {

// The watchdog of the same build or installation; empty if there is none.
std::string find_watchdog() {
  std::error_code error;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"sapbuf-watchdog", "../sapbuf_watchdog/sapbuf-watchdog"}) {
    if (std::filesystem::exists(own / place, error)) return own / place;
  }
  return {};
}

// `pool` names all that begin with "pool-".
bool is_named(const Scenario& scenario, const std::string& name) {
  return scenario.name == name || std::string_view{scenario.name}.starts_with(name + "-");
}

bool is_wanted(const Scenario& scenario, const Options& options) {
  return options.scenarios.empty() || std::any_of(options.scenarios.begin(), options.scenarios.end(),
                                                  [&](const std::string& name) { return is_named(scenario, name); });
}

int measure(const Options& options) {
  Report report{options};
  for (const Scenario& scenario : scenarios()) {
    if (is_wanted(scenario, options)) scenario.run(report);
  }
  const std::vector<Goal> goals = goals_of(report);
  show(goals, options);
  if (!options.pictures.empty()) write_pictures(report, options.pictures);
  if (!options.html.empty()) write_page(report, goals, options.html);
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app{"Measures sapbuf on this machine, beside its peers, in the same run.", "sapbuf-bench"};
  Options options;
  options.watchdog = find_watchdog();
  bool list = false;
  app.add_option("scenario", options.scenarios,
                 "What to measure: a name of --list, or one that several begin with, as 'pool'; all if "
                 "none is given");
  app.add_option("--rounds", options.rounds,
                 "Rounds that count, after one to warm up. Single calls have five short turns for each; of what is "
                 "seldom, as recovery, there are 25 or 100")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--longest", options.longest_s, "Seconds that one figure may take before the run ends with an error")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_flag("--quick", options.quick, "Short runs, to see that it works; not to be quoted");
  app.add_flag("--json", options.json, "One JSON object a line");
  app.add_option("--report", options.html, "Write a page with the figures and pictures into this file")
      ->type_name("FILE");
  app.add_option("--pictures", options.pictures, "Write the pictures into this folder, as SVG")->type_name("FOLDER");
  app.add_option("--watchdog", options.watchdog, "The sapbuf-watchdog to measure with; an empty one leaves it out")
      ->type_name("PROGRAM")
      ->capture_default_str();
  app.add_flag("--list", list, "Name the scenarios and leave");
  if (const auto printed = tools::print_reference(app, argc, argv)) return *printed;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (list) {
    for (const Scenario& scenario : scenarios()) fmt::print("{:<16}{}\n", scenario.name, scenario.what);
    return 0;
  }
  const auto exists = [](const std::string& name) {
    return std::any_of(scenarios().begin(), scenarios().end(),
                       [&](const Scenario& one) { return is_named(one, name); });
  };
  for (const std::string& name : options.scenarios) {
    if (exists(name)) continue;
    fmt::print(stderr, "sapbuf-bench: there is no scenario '{}'; --list names them\n", name);
    return 2;
  }
  return supervise([&] { return measure(options); });
}

}  // namespace
}  // namespace sapbuf::bench

int main(int argc, char** argv) {
  try {
    return sapbuf::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "sapbuf-bench: {}\n", error.what());
    return 1;
  }
}
