// The segments that are there: can they be used, and did somebody die and leave something?
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sapbuf/sapbuf.hpp>

#include "common/human.hpp"
#include "common/segment_file.hpp"
#include "sapbuf/doctor.hpp"

namespace sapbuf::tools {

namespace {

Finding describe_trouble(const std::string& name, const Error& error) {
  Finding finding{"stream " + printable_name(name), Mark::bad, error.what(), {}};
  if (error.errc() == Errc::permission_denied) {
    finding.mark = Mark::warning;  // nothing may be wrong with it: it is somebody else's
  } else if (error.errc() == Errc::corrupt || error.errc() == Errc::incompatible) {
    if (find_segment_file(name))
      finding.remedy = fmt::format("sapbuf rm --force {}, once nobody needs it any more", name);
  }
  return finding;
}

Finding describe(const std::string& name, const Snapshot& snapshot) {
  Finding finding{"stream " + printable_name(name), Mark::ok, {}, {}};
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
    finding.remedy = fmt::format("sapbuf-watchdog --once {}", name);
  } else if (hung != 0) {
    finding.mark = Mark::warning;
    finding.text += fmt::format("; {} something without making progress",
                                hung == 1 ? "1 of them holds" : fmt::format("{} of them hold", hung));
    finding.remedy =
        fmt::format("see sapbuf status {}; sapbuf-watchdog --hung-after MS --on-hung kill acts on it", name);
  } else if (live == 0) {
    finding.text += "; if it is a leftover: sapbuf rm " + name;
  }
  return finding;
}

// Nothing if it was removed meanwhile.
std::optional<Finding> check_segment(const std::string& name) {
  try {
    const Segment segment = Segment::open(name);  // a snapshot alone needs less: a read-only descriptor is enough
    return describe(name, inspect(segment));
  } catch (const Error& error) {
    if (error.errc() == Errc::not_found) return std::nullopt;
    return describe_trouble(name, error);
  }
}

}  // namespace

std::vector<Finding> check_segments() {
  std::vector<Finding> findings;
  for (const std::string& name : Segment::list()) {
    if (auto finding = check_segment(name)) findings.push_back(std::move(*finding));
  }
  if (findings.empty()) findings.push_back({"streams", Mark::ok, "none on this host", {}});
  return findings;
}

}  // namespace sapbuf::tools
