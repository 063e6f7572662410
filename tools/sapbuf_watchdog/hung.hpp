// Participants that live, hold something, and make no progress.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <vector>

#include "common/process.hpp"
#include "sapbuf_watchdog/findings.hpp"
#include "sapbuf_watchdog/options.hpp"
#include "sapbuf_watchdog/progress.hpp"

namespace sapbuf::tools {

// The processes that were killed last. Who is killed for one of its participants is killed for all of them, in whichever
// segments they are. Thread-safe.
class KilledProcesses {
 public:
  // Before the kill: who sees that a process ends finds it here.
  void add(const ParticipantSnapshot& participant);
  void remove(const ParticipantSnapshot& participant);
  bool has(const ParticipantSnapshot& participant) const;

 private:
  struct Process {
    std::int32_t pid;
    std::uint64_t pid_namespace;
    std::uint64_t start_time;
    bool operator==(const Process&) const = default;
  };
  static Process of(const ParticipantSnapshot& participant);

  mutable std::mutex mutex_;
  std::deque<Process> processes_;  // guarded by the mutex
};

// Does with a hung participant what the options say. A process is killed only if it is certain which one it is, if it
// answers for what the segment says of it (see suspect.hpp), and if the participant still hangs. `process` then refers
// to the one that was killed, and is empty if that has ended.
HungParticipant act_on_hung(const Segment& segment, const WatchdogOptions& options,
                            const ParticipantSnapshot& participant, KilledProcesses& killed, Descriptor& process);

// The hung participants of one segment, each told of once.
class HungWatch {
 public:
  HungWatch(const WatchdogOptions& options, KilledProcesses& killed)
      : options_(options), killed_(killed), progress_(options) {}

  // Acts on those that are new in `snapshot`, and stand still in its predecessors, too, and returns them; logs them, and those that
  // go on again.
  std::vector<HungParticipant> update(const std::string& name, const Segment& segment, const Snapshot& snapshot);
  void clear() noexcept {
    progress_.clear();
    known_.clear();
    spared_.clear();
  }

 private:
  bool is_known(const ParticipantSnapshot& participant) const;
  void forget_those_that_go_on(const std::string& name, const Snapshot& snapshot);

  const WatchdogOptions& options_;
  KilledProcesses& killed_;
  ProgressWatch progress_;
  std::vector<ParticipantSnapshot> known_;
  std::set<std::uint32_t> spared_;  // slots
};

}  // namespace sapbuf::tools
