#include "scenarios.hpp"

namespace sapbuf::bench {

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> all{
      {"calls", "cost of single calls in one process", measure_calls},
      {"one-to-one", "throughput, one producer process to one consumer process",
       [](const Options& options) { measure_throughput(options, 1); }},
      {"two-to-one", "throughput, two producer processes to one consumer process",
       [](const Options& options) { measure_throughput(options, 2); }},
      {"latency", "one way from process to process, spinning, and at a fixed rate", measure_latency},
      {"recovery", "from a holder's death to the blocked writer's next message", measure_recovery},
  };
  return all;
}

}  // namespace sapbuf::bench
