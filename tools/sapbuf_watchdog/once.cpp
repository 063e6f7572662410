// sapbuf-watchdog --once: one look at each segment.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "common/exit_code.hpp"
#include "common/output.hpp"
#include "common/process.hpp"
#include "common/stop.hpp"
#include "sapbuf_watchdog/findings.hpp"
#include "sapbuf_watchdog/hung.hpp"
#include "sapbuf_watchdog/options.hpp"
#include "sapbuf_watchdog/progress.hpp"
#include "sapbuf_watchdog/segment_directory.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;

// A live participant may have to finish a step before the rest can be taken back: it has this long.
constexpr milliseconds kPatience{200};
constexpr milliseconds kRetryAfter{2};
// How long a process may take to die of SIGKILL.
constexpr int kDeathMs = 1000;
// Looks for progress.
constexpr milliseconds kShortestBetween{1};
constexpr milliseconds kLongestBetween{100};
constexpr milliseconds kHungPatience{1000};

// Recovery until nothing is pending, for a while.
void recover_patiently(const Segment& segment, Findings& findings) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    RecoveryReport report = recover(segment);
    log_recovery(findings.name, report, false);
    findings.add(std::move(report));
    if (!findings.pending || stop_requested() || std::chrono::steady_clock::now() >= until) return;
    std::this_thread::sleep_for(kRetryAfter);
  }
}

struct Standing {
  std::vector<ParticipantSnapshot> hung;
  bool any_dead = false;
};

// Those who hang, and were seen to stand still for as long as the options say; and whether somebody has died meanwhile. The
// snapshot also shows whether the segment makes sense at all: recovery alone looks at no more than it needs.
Standing find_hung(const Segment& segment, const WatchdogOptions& options) {
  ProgressWatch progress{options};
  const milliseconds between = std::clamp(options.hung_after / 4, kShortestBetween, kLongestBetween);
  // Somebody may look as if he hung whenever he is looked at, and make progress all the time.
  const auto until = ProgressWatch::Clock::now() + 2 * options.hung_after + kHungPatience;
  for (;;) {
    Standing standing;
    const Snapshot snapshot = inspect(segment, {.hung_after = options.hung_after, .lag = false});
    const auto now = ProgressWatch::Clock::now();
    progress.look(snapshot, now);
    bool all_are_sure = true;
    for (const ParticipantSnapshot& participant : snapshot.participants) {
      standing.any_dead |= participant.state == Liveness::dead;
      if (participant.state != Liveness::hung) continue;
      if (progress.stands_still(participant)) {
        standing.hung.push_back(participant);
      } else {
        all_are_sure = false;
      }
    }
    if (all_are_sure || stop_requested() || now >= until) return standing;
    std::this_thread::sleep_for(between);
  }
}

// Some take longer to end, and meanwhile have what they had.
bool is_any_killed_there(const Segment& segment, const Findings& findings) {
  if (std::ranges::none_of(findings.hung, &HungParticipant::killed)) return false;
  const Snapshot now = inspect(segment, {.hung_after = milliseconds{0}, .lag = false});
  return std::ranges::any_of(findings.hung, [&](const HungParticipant& hung) {
    return hung.killed && std::ranges::any_of(now.participants, [&](const ParticipantSnapshot& participant) {
             return participant.slot == hung.participant.slot &&
                    participant.incarnation == hung.participant.incarnation;
           });
  });
}

void look_for_hung(const Segment& segment, const WatchdogOptions& options, KilledProcesses& killed,
                   Findings& findings) {
  const Standing standing = find_hung(segment, options);
  // What hung here may have been killed because of another segment.
  if (standing.any_dead && !options.dry_run) recover_patiently(segment, findings);
  for (const ParticipantSnapshot& participant : standing.hung) {
    Descriptor process;
    findings.hung.push_back(act_on_hung(segment, options, participant, killed, process));
    log_hung(findings.name, findings.hung.back());
    if (!findings.hung.back().killed) continue;
    if (process) static_cast<void>(has_ended(process, kDeathMs));
    recover_patiently(segment, findings);
  }
  findings.not_ended = is_any_killed_there(segment, findings);
}

Findings look(const std::string& name, const WatchdogOptions& options, KilledProcesses& killed) {
  const Segment segment = Segment::open(name);
  Findings findings;
  findings.name = name;
  if (options.dry_run) {
    RecoveryReport report = find_dead(segment);
    log_recovery(name, report, true);
    findings.add(std::move(report));
  } else {
    recover_patiently(segment, findings);
  }
  look_for_hung(segment, options, killed, findings);
  if (findings.pending) findings.why_pending = why_pending(segment);
  return findings;
}

std::vector<std::string> names_of(const WatchdogOptions& options) {
  if (!options.all) return options.names;
  const Listing listing = list_streams();
  LeftOut{}.tell(listing);
  std::vector<std::string> names;
  for (const ListedStream& stream : listing.streams) names.push_back(stream.name);
  return names;
}

bool left_something(const Findings& findings, const WatchdogOptions& options) {
  if (findings.pending || findings.not_ended || findings.left_alone != 0 || (options.dry_run && !findings.dead.empty()))
    return true;
  for (const HungParticipant& hung : findings.hung) {
    if (!hung.killed) return true;
  }
  return false;
}

// Each in a thread of its own, so that no stream delays another; later, in the caller's, where there is no other, or no
// thread to be had.
std::vector<std::future<Findings>> start_looks(const std::vector<std::string>& names, const WatchdogOptions& options,
                                               KilledProcesses& killed) {
  std::launch how = names.size() > 1 ? std::launch::async : std::launch::deferred;
  std::vector<std::future<Findings>> looks;
  for (const std::string& name : names) {
    const auto its_look = [name, &options, &killed] { return look(name, options, killed); };
    try {
      looks.push_back(std::async(how, its_look));
    } catch (const std::system_error&) {
      how = std::launch::deferred;
      looks.push_back(std::async(how, its_look));
    }
  }
  return looks;
}

void log_summary(const Findings& findings) {
  if (findings.left_alone != 0) log_left_alone(findings.name, findings.left_alone);
  if (findings.not_ended) spdlog::warn("{}: what was killed has not ended yet, and keeps what it holds", findings.name);
  if (findings.pending) {
    spdlog::warn("{}: something is left for later: {}", findings.name, findings.why_pending);
  } else if (findings.nothing() && findings.left_alone == 0) {
    spdlog::info("{}: healthy", findings.name);
  }
}

}  // namespace

int run_once(const WatchdogOptions& options) {
  std::optional<ExitCode> failed;  // why the first segment that could not be looked at could not
  bool left = false;
  Json segments = Json::array();
  KilledProcesses killed;
  for (std::future<Findings>& its_end : start_looks(names_of(options), options, killed)) {
    if (stop_requested()) break;
    try {
      const Findings findings = its_end.get();
      log_summary(findings);
      left = left || left_something(findings, options);
      segments.push_back(to_json(findings));
    } catch (const Error& error) {
      if (options.all && error.errc() == Errc::not_found) continue;  // gone since it was listed, or not finished yet
      spdlog::error("{}", error.what());
      if (!failed) failed = options.all ? kProblemsLeft : exit_code(error.errc());
    }
  }
  if (options.json) print(json_line({{"schema_version", kSchemaVersion}, {"segments", segments}}));
  if (failed) return *failed;
  return left ? kProblemsLeft : kDone;
}

}  // namespace sapbuf::tools
