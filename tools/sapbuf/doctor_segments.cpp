// The segments that are there: can they be used, and did somebody die and leave something?
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <set>

#include "common/facility_view.hpp"
#include "common/held_text.hpp"
#include "common/human.hpp"
#include "common/segment_file.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/doctor.hpp"
#include "sapbuf/durable_text.hpp"

namespace sapbuf::tools {

namespace {

Finding describe_trouble(const std::string& name, const Error& error) {
  Finding finding{"segment " + printable_name(name), Mark::bad, error.what(), {}};
  if (error.errc() == Errc::permission_denied) {
    finding.mark = Mark::warning;  // nothing may be wrong with it: it is somebody else's
  } else if (error.errc() == Errc::corrupt || error.errc() == Errc::incompatible) {
    // What is no file at all is none of sapbuf's to remove.
    if (const auto file = find_segment_file(name); file && file->regular)
      finding.remedy = fmt::format("once nobody needs it any more: sapbuf rm --force {}", shell_operand(name));
  }
  return finding;
}

Finding describe(const std::string& name, const Snapshot& snapshot) {
  Finding finding{"segment " + printable_name(name), Mark::ok, {}, {}};
  const auto in_state = [&](Liveness state) {
    return static_cast<std::uint64_t>(std::count_if(snapshot.participants.begin(), snapshot.participants.end(),
                                                    [&](const auto& it) { return it.state == state; }));
  };
  const std::uint64_t dead = in_state(Liveness::dead);
  const std::uint64_t hung = in_state(Liveness::hung);
  const std::uint64_t live = in_state(Liveness::alive) + hung;
  finding.text = fmt::format("{}, {} attached", human_bytes(snapshot.bytes),
                             live == 0 ? "nobody" : counted(live, "live participant"));
  if (dead != 0) {
    finding.mark = Mark::bad;
    finding.text += fmt::format("; {} not recovered yet", counted(dead, "dead participant"));
    finding.remedy = fmt::format("sapbuf-watchdog --once {}", shell_operand(name));
  } else if (hung != 0) {
    finding.mark = Mark::warning;
    finding.text += fmt::format("; {} something without making progress",
                                hung == 1 ? "1 of them holds" : fmt::format("{} of them hold", hung));
    finding.remedy = fmt::format(
        "sapbuf-watchdog --hung-after MS --on-hung kill acts on it; to see who: sapbuf status {}", shell_operand(name));
  } else if (const auto away = kept_for(snapshot); !away.empty()) {
    finding.text +=
        fmt::format("; keeps {} for durable reader{} {}, away now: sapbuf readers ls {}", human_bytes(kept_bytes(away)),
                    away.size() == 1 ? "" : "s", names_of(away), shell_operand(name));
  } else if (live == 0) {
    if (const std::string held = held_text(snapshot); !held.empty()) finding.text += "; holds " + held;
    finding.text += "; if it is a leftover: sapbuf rm " + shell_operand(name);
  }
  return finding;
}

// More readers may pin a slab each than leave two to writers, who drop messages then although the stream overwrites.
std::optional<Finding> check_slabs(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  if (!facility.stream) return std::nullopt;
  const StreamOptions& options = facility.stream->options;
  const auto readers = static_cast<std::uint64_t>(
      std::count_if(snapshot.participants.begin(), snapshot.participants.end(),
                    [&](const auto& it) { return it.facility == facility.info.name && it.role == Role::reader; }));
  if (options.on_full != OnFull::overwrite || options.slabs >= readers + 2) return std::nullopt;
  return Finding{
      "stream " + printable_name(title_of(snapshot.name, facility.info.name)), Mark::warning,
      fmt::format("overwrites, with {} for {}: while readers pin what they look at, writers may find no slab "
                  "to take, and drop messages",
                  counted(options.slabs, "slab"), counted(readers, "reader")),
      fmt::format("make it anew with sapbuf create --slabs {} or more", readers + 2)};
}

std::optional<Finding> check_mode(const std::string& name) {
  const auto file = find_segment_file(name);
  const std::string problem = file && file->regular ? problem_with_mode(file->mode) : "";
  if (problem.empty()) return std::nullopt;
  return Finding{"segment " + printable_name(name), Mark::warning, problem,
                 fmt::format("chmod {:04o} {}", without_readers_alone(file->mode), shell_operand(segment_path(name)))};
}

std::optional<Finding> check_lock(const std::string& name, const Segment& segment) {
  const auto holders = find_lock_holders(segment);
  if (!holders) return std::nullopt;
  std::set<std::string> facilities;
  for (const LockHolder& holder : *holders) facilities.insert(printable_name(holder.facility));
  return Finding{
      "segment " + printable_name(name), Mark::bad,
      fmt::format("{}stands still: the lock that those who use it, and recovery, need is held by {}",
                  facilities.empty() ? "" : fmt::format("{} ", fmt::join(facilities, ", ")), holder_text(*holders)),
      holders->empty() ? fmt::format("as root, to see who: sapbuf doctor")
                       : fmt::format("continue or end it: kill -CONT {0}; kill {0}", holders->front().pid)};
}

void check_segment(const std::string& name, std::vector<Finding>& findings) {
  try {
    const Segment segment = Segment::open(name);  // a snapshot alone needs less: a read-only descriptor is enough
    const Snapshot snapshot = inspect(segment, {.lag = false});
    findings.push_back(describe(name, snapshot));
    const auto add = [&](const std::optional<Finding>& finding) {
      if (finding) findings.push_back(*finding);
    };
    add(check_lock(name, segment));
    for (const FacilitySnapshot& facility : snapshot.facilities) add(check_slabs(snapshot, facility));
    add(check_mode(name));
  } catch (const Error& error) {
    if (error.errc() != Errc::not_found) findings.push_back(describe_trouble(name, error));  // removed meanwhile
  }
}

}  // namespace

std::vector<Finding> check_segments() {
  std::vector<Finding> findings;
  for (const std::string& name : Segment::list()) check_segment(name, findings);
  if (findings.empty()) findings.push_back({"segments", Mark::ok, "none on this host", {}});
  return findings;
}

}  // namespace sapbuf::tools
