#include "sapbuf_watchdog/hung.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/stream_name.hpp"
#include "sapbuf_watchdog/suspect.hpp"

namespace sapbuf::tools {

namespace {

// The same participant, and not one that took its slot later.
bool is_same(const ParticipantSnapshot& one, const ParticipantSnapshot& other) {
  return one.slot == other.slot && one.incarnation == other.incarnation;
}

bool hangs_in(const Snapshot& now, const ParticipantSnapshot& participant) {
  return std::any_of(now.participants.begin(), now.participants.end(), [&](const ParticipantSnapshot& candidate) {
    return candidate.state == Liveness::hung && is_same(candidate, participant);
  });
}

// What was done, or why it was not.
std::string kill_hung(const Segment& segment, const WatchdogOptions& options, const ParticipantSnapshot& participant,
                      HungParticipant& hung, Descriptor& process) {
  if (participant.pid_namespace != own_pid_namespace()) {
    return "not killed: it lives in another pid namespace, where its pid says nothing here";
  }
  process = open_process(participant);
  if (!process) return "not killed: its process cannot be identified";
  const Snapshot now = inspect(segment, {.hung_after = options.hung_after, .lag = false});
  if (!hangs_in(now, participant)) {
    hung.spared = true;
    return "not killed: it goes on again";
  }
  if (const std::string reason = reason_to_spare(participant.pid, now.file); !reason.empty()) {
    hung.spared = true;
    return "not killed: " + reason;
  }
  // As long as the process behind the descriptor has not ended, its pid was nobody else's: all that is its own.
  if (has_ended(process)) return "not killed: it has ended by itself";
  if (!kill_process(process)) return fmt::format("not killed: {}", std::strerror(errno));
  return "killed";
}

}  // namespace

HungParticipant act_on_hung(const Segment& segment, const WatchdogOptions& options,
                            const ParticipantSnapshot& participant, Descriptor& process) {
  HungParticipant hung{participant, "report"};
  if (options.on_hung == OnHung::kill) {
    hung.action = options.dry_run ? "would be killed" : kill_hung(segment, options, participant, hung, process);
    hung.killed = hung.action == "killed";
  }
  return hung;
}

std::vector<HungParticipant> HungWatch::update(const std::string& name, const Segment& segment,
                                               const Snapshot& snapshot) {
  forget_those_that_go_on(name, snapshot);
  std::vector<HungParticipant> found;
  for (const ParticipantSnapshot& participant : snapshot.participants) {
    if (participant.state != Liveness::hung || is_known(participant)) continue;
    known_.push_back(participant);
    Descriptor process;  // its death is found like any other: through the pidfd that is polled, or at the next interval
    HungParticipant hung = act_on_hung(segment, options_, participant, process);
    // Whoever writes such claims can write a new one each time: one answer for each slot is enough.
    if (hung.spared && !spared_.insert(participant.slot).second) continue;
    log_hung(name, hung);
    found.push_back(std::move(hung));
  }
  return found;
}

bool HungWatch::is_known(const ParticipantSnapshot& participant) const {
  return std::any_of(known_.begin(), known_.end(),
                     [&](const ParticipantSnapshot& known) { return is_same(known, participant); });
}

void HungWatch::forget_those_that_go_on(const std::string& name, const Snapshot& snapshot) {
  std::erase_if(known_, [&](const ParticipantSnapshot& known) {
    const auto now = std::find_if(snapshot.participants.begin(), snapshot.participants.end(),
                                  [&](const ParticipantSnapshot& candidate) { return is_same(known, candidate); });
    if (now == snapshot.participants.end()) return true;
    if (now->state == Liveness::alive) spdlog::info("{}: {} goes on again", title_of(name, now->facility), who(*now));
    return now->state != Liveness::hung;
  });
}

}  // namespace sapbuf::tools
