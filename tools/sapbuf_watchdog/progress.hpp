// Whether participants make progress, as the watchdog has seen it itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include <sapbuf/inspect.hpp>

#include "sapbuf_watchdog/options.hpp"

namespace sapbuf::tools {

// Of what a participant counts, and whether it is in the middle of something: as long as this stays the same, nothing was seen
// of it.
std::uint64_t progress_of(const ParticipantSnapshot& participant);

// An old heartbeat alone says little: writers beat now and then only, and time goes on while all are frozen (a container that is
// paused, say), this process, too. So a participant has to show the same in all looks of a time that is long enough. Of the pause
// between two looks no more than the interval and a quarter of that time counts; behind a long one it all begins anew.
class ProgressWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ProgressWatch(const WatchdogOptions& options) : options_(options) {}

  // A look at a segment, at that time.
  void look(const Snapshot& snapshot, Clock::time_point now);
  // Whether one of the last look's participants made no progress for as long as the options say.
  bool stands_still(const ParticipantSnapshot& participant) const;
  void clear() noexcept { seen_.clear(); }

 private:
  struct Seen {
    std::uint64_t incarnation;
    std::uint64_t progress;
    Clock::duration unchanged;  // for so long
  };

  const WatchdogOptions& options_;
  std::map<std::uint32_t, Seen> seen_;  // by slot
  Clock::time_point last_look_{};
};

}  // namespace sapbuf::tools
