#include "sapbuf_watchdog/findings.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

#include "common/human.hpp"
#include "common/stream_name.hpp"

namespace sapbuf::tools {

namespace {

std::string describe(Role role, const std::string& name, std::int32_t pid, std::uint32_t slot) {
  return fmt::format("{} {} (pid {}, slot {})", to_string(role), printable_name(name), pid, slot);
}

std::string ago(std::uint64_t milliseconds) { return human_duration(std::chrono::milliseconds{milliseconds}); }

std::string describe(const DeadParticipant& dead, bool dry_run) {
  const std::string what = holdings(dead.role, dead.held_generations) +
                           holdings_in_bytes(dead.role, dead.held_generations.size(), dead.held_bytes);
  const std::string since = ago(dead.heartbeat_age_ms);
  if (dry_run) {
    return fmt::format("{} is dead: still holds {}, last progress {} ago; proof: {}", who(dead), what, since,
                       dead.proof);
  }
  const std::string repairs = fmt::format("{} ({})", counted(dead.repairs, "repair"), human_bytes(dead.repaired_bytes));
  return fmt::format("{} died: took back {}, last progress {} ago; {}; proof: {}", who(dead), what, since, repairs,
                     dead.proof);
}

Json to_json(const HungParticipant& hung) {
  const ParticipantSnapshot& participant = hung.participant;
  return {{"slot", participant.slot},
          {"role", std::string{to_string(participant.role)}},
          {"facility", participant.facility},
          {"name", participant.name},
          {"pid", participant.pid},
          {"heartbeat_age_ms", participant.heartbeat_age_ms},
          {"held_generations", participant.held_generations},
          {"held_bytes", participant.held_bytes},
          {"action", hung.action}};
}

}  // namespace

void Findings::add(RecoveryReport report) {
  std::move(report.dead.begin(), report.dead.end(), std::back_inserter(dead));
  released += report.released;
  pending = report.pending;
  left_alone = report.left_alone;
}

std::string why_pending(const Segment& segment) {
  if (const auto holders = find_lock_holders(segment)) return "its lock is held by " + holder_text(*holders);
  return "a live participant is in the middle of a step";
}

Json to_json(const Findings& findings) {
  Json dead = Json::array();
  for (const DeadParticipant& participant : findings.dead) dead.push_back(to_json(participant));
  Json hung = Json::array();
  for (const HungParticipant& participant : findings.hung) hung.push_back(to_json(participant));
  return {{"name", findings.name}, {"dead", dead}, {"hung", hung}, {"reclaimed_slabs", findings.released}};
}

std::string who(const DeadParticipant& dead) { return describe(dead.role, dead.name, dead.pid, dead.slot); }
std::string who(const ParticipantSnapshot& participant) {
  return describe(participant.role, participant.name, participant.pid, participant.slot);
}
std::string who(const JournalRecord& record) { return describe(record.role, record.name, record.pid, record.slot); }

std::string counted_released(const RecoveryReport& report) {
  const auto users = std::ranges::count_if(report.dead, holds_buffers, &DeadParticipant::role);
  if (users == 0) return counted(report.released, "slab");
  if (static_cast<std::size_t>(users) == report.dead.size()) return counted(report.released, "buffer");
  return report.released == 1 ? "1 slab or buffer" : fmt::format("{} slabs and buffers", report.released);
}

void log_recovery(const std::string& segment, const RecoveryReport& report, bool dry_run) {
  // Several may have kept the same slab: the figure stands behind the last of them.
  std::string slabs = counted_released(report) + (dry_run ? " to release" : " released");
  if (report.dead.size() > 1) slabs += fmt::format(" from these {}", report.dead.size());
  for (const DeadParticipant& dead : report.dead) {
    const bool is_last = &dead == &report.dead.back();
    spdlog::warn("{}: {}{}", title_of(segment, dead.facility), describe(dead, dry_run), is_last ? "; " + slabs : "");
  }
  if (report.dead.empty() && report.released != 0) spdlog::info("{}: {}", segment, slabs);
}

void log_left_alone(const std::string& segment, std::uint32_t count) {
  spdlog::warn("{}: left alone, because this version does not know what they used: {}; a newer one must take it back",
               segment, counted(count, "dead participant"));
}

void log_foreign_recovery(const std::string& title, const JournalRecord& record) {
  spdlog::warn("{}: {} died: another process took back {}{}, last progress {} before; {} ({}); proof: {}; {} released",
               title, who(record), holdings(record.role, record.held_first, record.held_last),
               holdings_in_bytes(record.role, record.held_count, record.held_bytes), ago(record.heartbeat_age_ms),
               counted(record.repairs, "repair"), human_bytes(record.repaired_bytes), record.proof,
               counted(record.released, holds_buffers(record.role) ? "buffer" : "slab"));
}

void log_hung(const std::string& segment, const HungParticipant& hung) {
  const ParticipantSnapshot& participant = hung.participant;
  const std::vector<std::uint64_t>& held = participant.held_generations;
  spdlog::warn("{}: {} hangs: holds {}{} and made no progress for {}{}", title_of(segment, participant.facility),
               who(participant), holdings(participant.role, held),
               holdings_in_bytes(participant.role, held.size(), participant.held_bytes),
               ago(participant.heartbeat_age_ms), hung.action == "report" ? "" : "; " + hung.action);
}

}  // namespace sapbuf::tools
