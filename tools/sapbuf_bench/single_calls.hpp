// Costs of single calls in one process: Google Benchmark runs them, its figures become columns.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "report.hpp"

namespace sapbuf::bench {

struct Call {
  std::string column;
  std::function<void(benchmark::State&)> body;
};

// All calls in turn, round by round. Throws if one of them fails.
std::vector<Column> run_calls(const std::vector<Call>& calls, const Options& options, double ns_in_unit);

}  // namespace sapbuf::bench
