// What came out of all rounds: as a table, as JSON, as Markdown.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "soak/round.hpp"

namespace sapbuf::soak {

struct Report {
  std::uint64_t seed = 0;
  double seconds = 0;
  std::uint64_t rounds = 0;
  RoundResult sum;                                 // of all rounds
  std::map<std::string, std::uint64_t> rounds_of;  // "per-writer, block" -> rounds
  std::string repeat;                              // command line for the round that failed; empty if none did
  void add(const Plan& plan, RoundResult&& round);
};

// Deaths that others noticed while nobody was stopped; `watched` or not.
std::vector<Death> measured_deaths(const Report& report, Watched watched);

struct Line {
  std::string what;
  std::string value;
};
std::vector<Line> lines(const Report& report);
std::string as_text(const Report& report);
std::string as_markdown(const Report& report);
std::string as_json(const Report& report);

}  // namespace sapbuf::soak
