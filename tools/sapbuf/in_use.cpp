#include "sapbuf/in_use.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/held_text.hpp"
#include "common/human.hpp"
#include "sapbuf/durable_text.hpp"

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

void refuse_if_kept(const std::string& title, const std::vector<DurableReaderInfo>& kept_for) {
  std::vector<DurableReaderInfo> missed;
  std::ranges::copy_if(kept_for, std::back_inserter(missed),
                       [](const DurableReaderInfo& reader) { return reader.behind_messages != 0; });
  if (missed.empty()) return;
  throw Failure(kFailure,
                fmt::format("{} keeps messages for durable reader{} {}, which {} away; use --force, or forget "
                            "them first with sapbuf readers rm",
                            title, missed.size() == 1 ? "" : "s", names_of(missed), missed.size() == 1 ? "is" : "are"));
}

void refuse_if_holds_blocks(const std::string& title, const FacilitySnapshot& facility) {
  if (!facility.queue || (waiting_blocks(*facility.queue) == 0 && dead_letters(*facility.queue) == 0)) return;
  throw Failure(kFailure, fmt::format("{} holds {}; take them first, or use --force", title, held_text(facility)));
}

}  // namespace sapbuf::tools
