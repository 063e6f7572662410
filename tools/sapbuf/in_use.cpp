#include "sapbuf/in_use.hpp"

#include <fmt/format.h>

#include "common/exit_code.hpp"
#include "common/human.hpp"

namespace sapbuf::tools {

namespace {

// "writer feed-a (pid 12), reader archiver (pid 34, in orders)"
std::string list_live(const std::vector<ParticipantSnapshot>& participants) {
  std::string list;
  for (const ParticipantSnapshot& participant : participants) {
    if (participant.state == Liveness::dead) continue;
    list += fmt::format("{}{} {} (pid {}{})", list.empty() ? "" : ", ", to_string(participant.role),
                        printable_name(participant.name), participant.pid,
                        participant.facility == kMainStream ? "" : ", in " + printable_name(participant.facility));
  }
  return list;
}

}  // namespace

void refuse_if_in_use(const std::string& title, const std::vector<ParticipantSnapshot>& participants,
                      const std::string& advice) {
  const std::string live = list_live(participants);
  if (!live.empty()) throw Failure(kFailure, fmt::format("{} is in use by {}; {}", title, live, advice));
}

}  // namespace sapbuf::tools
