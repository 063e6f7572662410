#include "single_calls.hpp"

#include <fmt/format.h>

#include <map>
#include <stdexcept>

#include "deadline.hpp"

namespace sapbuf::bench {
namespace {

// Keeps the processor time of each repetition, which is not longer beside other work; says nothing.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      if (run.error_occurred) throw std::runtime_error(run.benchmark_name() + ": " + run.error_message);
      ns[run.run_name.function_name].push_back(run.GetAdjustedCPUTime());
    }
  }
  std::map<std::string, std::vector<double>> ns;
};

}  // namespace

std::vector<Column> run_calls(const std::vector<Call>& calls, const Options& options, double ns_in_unit) {
  for (const Call& call : calls) benchmark::RegisterBenchmark(call.column.c_str(), call.body);
  // Short turns, and many: what else goes on here lasts longer than one, and so meets all calls alike.
  const unsigned turns = 5 * options.rounds_that_count();
  std::vector<std::string> words{"sapbuf-bench", fmt::format("--benchmark_min_time={}", options.quick ? 0.005 : 0.04),
                                 fmt::format("--benchmark_repetitions={}", turns),
                                 "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  Collector collector;
  const Deadline deadline{options.longest_s * static_cast<unsigned>(calls.size()), "calls, " + calls.front().column};
  fmt::print(stderr, "\r\033[Kcalls: {} turns of {}", turns, calls.size());
  benchmark::RunSpecifiedBenchmarks(&collector);
  fmt::print(stderr, "\r\033[K");
  benchmark::ClearRegisteredBenchmarks();
  std::vector<Column> columns;
  for (const Call& call : calls) {
    std::vector<double>& figures = collector.ns.at(call.column);
    for (double& figure : figures) figure /= ns_in_unit;
    columns.push_back({call.column, {}, std::move(figures)});
  }
  return columns;
}

}  // namespace sapbuf::bench
