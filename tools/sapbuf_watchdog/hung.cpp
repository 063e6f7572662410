#include "sapbuf_watchdog/hung.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/stream_name.hpp"
#include "sapbuf_watchdog/suspect.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kMostKilled = 256;

// The same participant, and not one that took its slot later.
bool is_same(const ParticipantSnapshot& one, const ParticipantSnapshot& other) {
  return one.slot == other.slot && one.incarnation == other.incarnation;
}

bool hangs_in(const Snapshot& now, const ParticipantSnapshot& participant) {
  return std::any_of(now.participants.begin(), now.participants.end(), [&](const ParticipantSnapshot& candidate) {
    return candidate.state == Liveness::hung && is_same(candidate, participant) &&
           progress_of(candidate) == progress_of(participant);
  });
}

// What was done, or why it was not.
std::string kill_hung(const Segment& segment, const WatchdogOptions& options, const ParticipantSnapshot& participant,
                      KilledProcesses& killed, HungParticipant& hung, Descriptor& process) {
  if (participant.pid_namespace != own_pid_namespace()) {
    return "not killed: it lives in another pid namespace, where its pid says nothing here";
  }
  if (participant.pid == ::getpid()) {
    hung.spared = true;
    return "not killed: the slot claims to be this watchdog";
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
  killed.add(participant);
  if (kill_process(process)) return "killed";
  const int error = errno;
  killed.remove(participant);
  return fmt::format("not killed: {}", std::strerror(error));
}

}  // namespace

KilledProcesses::Process KilledProcesses::of(const ParticipantSnapshot& participant) {
  return {participant.pid, participant.pid_namespace, participant.start_time};
}

void KilledProcesses::add(const ParticipantSnapshot& participant) {
  const std::lock_guard guard{mutex_};
  if (processes_.size() == kMostKilled) processes_.pop_front();
  processes_.push_back(of(participant));
}

void KilledProcesses::remove(const ParticipantSnapshot& participant) {
  const std::lock_guard guard{mutex_};
  std::erase(processes_, of(participant));
}

bool KilledProcesses::has(const ParticipantSnapshot& participant) const {
  const std::lock_guard guard{mutex_};
  return std::find(processes_.begin(), processes_.end(), of(participant)) != processes_.end();
}

HungParticipant act_on_hung(const Segment& segment, const WatchdogOptions& options,
                            const ParticipantSnapshot& participant, KilledProcesses& killed, Descriptor& process) {
  HungParticipant hung{participant, "report"};
  if (options.on_hung == OnHung::report) return hung;
  if (options.dry_run) {
    hung.action = "would be killed";
    return hung;
  }
  hung.action = kill_hung(segment, options, participant, killed, hung, process);
  // It may be so already, because of another participant that its process has.
  hung.killed = killed.has(participant);
  if (hung.killed) {
    hung.action = "killed";
    hung.spared = false;
  }
  return hung;
}

std::vector<HungParticipant> HungWatch::update(const std::string& name, const Segment& segment,
                                               const Snapshot& snapshot) {
  if (options_.hung_after.count() == 0) return {};
  progress_.look(snapshot, ProgressWatch::Clock::now());
  forget_those_that_go_on(name, snapshot);
  std::vector<HungParticipant> found;
  for (const ParticipantSnapshot& participant : snapshot.participants) {
    if (participant.state != Liveness::hung || is_known(participant) || !progress_.stands_still(participant)) continue;
    known_.push_back(participant);
    Descriptor process;  // its death is found like any other: through the pidfd that is polled, or at the next interval
    HungParticipant hung = act_on_hung(segment, options_, participant, killed_, process);
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
    const bool hangs = now->state == Liveness::hung && progress_of(*now) == progress_of(known);
    if (!hangs && now->state != Liveness::dead)
      spdlog::info("{}: {} goes on again", title_of(name, now->facility), who(*now));
    return !hangs;
  });
}

}  // namespace sapbuf::tools
