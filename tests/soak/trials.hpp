// Trials: what rounds do not bring about, each on a stream of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace sapbuf::soak {

struct TrialOptions {
  std::uint64_t seed = 0;
  bool with_all_might = false;  // for minutes, not seconds
};

struct Trial {
  const char* name;
  std::function<void(const std::string& stream, const TrialOptions& options)> run;  // throws if something is wrong
};
std::span<const Trial> trials();

// Says what is wrong; nothing if all is right.
std::string run_trial(const Trial& trial, const TrialOptions& options);

}  // namespace sapbuf::soak
