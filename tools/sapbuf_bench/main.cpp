// sapbuf-bench: how fast it is here, beside what else one would take.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "hand_over.hpp"

namespace sapbuf::bench {

void register_single_process();

namespace {

struct Options {
  std::vector<std::string> scenarios;
  unsigned rounds = 5;
  bool quick = false;
  bool json = false;
};

struct Column {
  std::string name;
  std::function<double()> run;
  std::vector<double> figures;
};

double median(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  return figures[figures.size() / 2];
}

// One warm-up, then the columns in turn, round by round, so that the machine's moods meet all of them alike.
void run_rounds(std::vector<Column>& columns, unsigned rounds) {
  for (unsigned round = 0; round <= rounds; ++round) {
    fmt::print(stderr, "\rround {} of {} ", round, rounds);
    for (Column& column : columns) {
      const double figure = column.run();
      if (round != 0) column.figures.push_back(figure);
    }
  }
  fmt::print(stderr, "\r{:20}\r", "");
}

void report(const std::string& title, const std::string& unit, const std::vector<Column>& columns,
            const Options& options) {
  if (options.json) {
    for (const Column& column : columns) {
      const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
      fmt::print("{}\n", nlohmann::json{{"scenario", title},
                                        {"what", column.name},
                                        {"unit", unit},
                                        {"median", median(column.figures)},
                                        {"min", *low},
                                        {"max", *high},
                                        {"rounds", column.figures.size()}}
                             .dump());
    }
    return;
  }
  fmt::print("{} ({})\n  {:<28}{:>10}{:>10}{:>10}\n", title, unit, "", "median", "min", "max");
  for (const Column& column : columns) {
    const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
    fmt::print("  {:<28}{:>10.2f}{:>10.2f}{:>10.2f}\n", column.name, median(column.figures), *low, *high);
  }
}

Column hand_over_column(const std::string& name, std::unique_ptr<Peer> (*make)(), Load load) {
  return {name, [make, load] { return hand_over(*make(), load) / 1e6; }, {}};
}

void throughput(const Options& options, unsigned producers) {
  const std::uint64_t scale = options.quick ? 10 : 1;
  for (const std::size_t bytes : {16, 64, 256, 1024}) {
    const std::uint64_t messages = std::max<std::uint64_t>(100'000, 320'000'000 / bytes) / scale / producers;
    const Load load{bytes, messages, producers};
    const Load queue_load{bytes, std::max<std::uint64_t>(messages / 10, 10'000), producers};
    std::vector<Column> columns;
    columns.push_back(hand_over_column(
        "sapbuf per_writer", [] { return make_sapbuf(false); }, load));
    columns.push_back(hand_over_column(
        "sapbuf total", [] { return make_sapbuf(true); }, load));
    columns.push_back(hand_over_column(
        "Boost message_queue", [] { return make_message_queue(); }, queue_load));
    run_rounds(columns, options.quick ? 1 : options.rounds);
    report(fmt::format("{} to one, {} bytes, every byte read", producers == 1 ? "one" : "two", bytes), "M msg/s",
           columns, options);
  }
}

void recovery(const Options& options) {
  std::vector<Column> columns{{"without watchdog", [] { return recovery_ms(false); }, {}},
                              {"with watchdog", [] { return recovery_ms(true); }, {}}};
  run_rounds(columns, options.quick ? 3 : 30);
  report("SIGKILL of a slab's holder -> blocked writer goes on", "ms", columns, options);
}

void single_process(const Options& options) {
  register_single_process();
  std::vector<std::string> words{"sapbuf-bench", fmt::format("--benchmark_min_time={}", options.quick ? 0.02 : 0.3)};
  if (options.json) words.emplace_back("--benchmark_format=json");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  benchmark::RunSpecifiedBenchmarks();
}

struct Scenario {
  const char* name;
  const char* what;
  std::function<void(const Options&)> run;
};
const Scenario kScenarios[] = {
    {"calls", "cost of single calls in one process", single_process},
    {"one-to-one", "throughput, one producer process to one consumer process",
     [](const Options& o) { throughput(o, 1); }},
    {"two-to-one", "throughput, two producer processes to one consumer process",
     [](const Options& o) { throughput(o, 2); }},
    {"recovery", "from a holder's death to the blocked writer's next message", recovery},
};

int run(int argc, char** argv) {
  CLI::App app{"Measures sapbuf on this machine, beside its peers, in the same run.", "sapbuf-bench"};
  Options options;
  bool list = false;
  app.add_option("scenario", options.scenarios, "What to measure; all if none is named (see --list)");
  app.add_option("--rounds", options.rounds, "Rounds that count, after one to warm up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--quick", options.quick, "Short runs, to see that it works; not to be quoted");
  app.add_flag("--json", options.json, "One JSON object a line");
  app.add_flag("--list", list, "Name the scenarios and leave");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (list) {
    for (const Scenario& scenario : kScenarios) fmt::print("{:<14}{}\n", scenario.name, scenario.what);
    return 0;
  }
  for (const std::string& name : options.scenarios) {
    if (std::none_of(std::begin(kScenarios), std::end(kScenarios), [&](const auto& s) { return name == s.name; })) {
      fmt::print(stderr, "sapbuf-bench: there is no scenario '{}'; --list names them\n", name);
      return 2;
    }
  }
  for (const Scenario& scenario : kScenarios) {
    const auto& wanted = options.scenarios;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), scenario.name) != wanted.end()) scenario.run(options);
  }
  return 0;
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
