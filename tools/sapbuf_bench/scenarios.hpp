// What sapbuf-bench can measure.
#pragma once

#include <span>

#include "report.hpp"

namespace sapbuf::bench {

struct Scenario {
  const char* name;
  const char* what;
  std::function<void(const Options&)> run;
};
std::span<const Scenario> scenarios();

void measure_calls(const Options& options);                           // single_process.cpp
void measure_throughput(const Options& options, unsigned producers);  // throughput.cpp
void measure_latency(const Options& options);                         // latency.cpp
void measure_recovery(const Options& options);                        // recovery_time.cpp

}  // namespace sapbuf::bench
