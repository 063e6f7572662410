// Participants that live, hold something, and make no progress.
#pragma once

#include <set>
#include <vector>

#include "common/process.hpp"
#include "sapbuf_watchdog/findings.hpp"
#include "sapbuf_watchdog/options.hpp"

namespace sapbuf::tools {

// Does with a hung participant what the options say. A process is killed only if it is certain which one it is, if it
// answers for what the segment says of it (see suspect.hpp), and if the participant still hangs. `process` then refers
// to the one that was killed.
HungParticipant act_on_hung(const Segment& segment, const WatchdogOptions& options,
                            const ParticipantSnapshot& participant, Descriptor& process);

// The hung participants of one segment, each told of once.
class HungWatch {
 public:
  explicit HungWatch(const WatchdogOptions& options) : options_(options) {}

  // Acts on those that are new in `snapshot` and returns them; logs them, and those that go on again.
  std::vector<HungParticipant> update(const std::string& name, const Segment& segment, const Snapshot& snapshot);
  void clear() noexcept {
    known_.clear();
    spared_.clear();
  }

 private:
  bool is_known(const ParticipantSnapshot& participant) const;
  void forget_those_that_go_on(const std::string& name, const Snapshot& snapshot);

  const WatchdogOptions& options_;
  std::vector<ParticipantSnapshot> known_;
  std::set<std::uint32_t> spared_;  // slots
};

}  // namespace sapbuf::tools
