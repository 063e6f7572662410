#include "sapbuf/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/human.hpp"
#include "common/table.hpp"

namespace sapbuf::tools {

namespace {

using Align = Table::Align;

// "[##########..........]  52 %"
std::string bar(std::uint64_t used, std::uint64_t capacity) {
  constexpr std::uint64_t kWidth = 20;
  const double part = capacity == 0 ? 0 : std::min(1.0, static_cast<double>(used) / static_cast<double>(capacity));
  const auto filled = static_cast<std::size_t>(part * kWidth + 0.5);
  return fmt::format("[{}{}] {:3.0f} %", std::string(filled, '#'), std::string(kWidth - filled, '.'), part * 100);
}

const char* retention(const Snapshot& snapshot) {
  if (!snapshot.options.retain) return "";
  return snapshot.awaits_first_reader ? "; keeps everything until a first reader comes"
                                      : "; kept everything until its first reader came";
}

std::string head(const Snapshot& snapshot) {
  const SegmentOptions& options = snapshot.options;
  const std::string extents =
      options.order == Order::per_writer ? fmt::format(" (extents of {})", human_bytes(options.extent_bytes)) : "";
  return fmt::format("{}: {} order{}, on full: {}{}\n", printable_name(snapshot.name), to_string(options.order),
                     extents, to_string(options.on_full), retention(snapshot)) +
         fmt::format("{} of {}, {} in all, room for {}; ABI {}, made {}\n", counted(options.slabs, "slab"),
                     human_bytes(options.slab_bytes), human_bytes(snapshot.bytes),
                     counted(options.participants, "participant"), snapshot.abi, human_time(snapshot.created_ns)) +
         fmt::format("generation {}; {} taken back from the dead\n", snapshot.generation,
                     counted(snapshot.reclaimed_slabs, "slab"));
}

std::string slabs(const Snapshot& snapshot) {
  Table table({{"SLAB", Align::right},
               {"GENERATION", Align::right},
               {"STATE"},
               {"OCCUPANCY"},
               {"USED", Align::right},
               {"HELD BY"}});
  for (const SlabSnapshot& slab : snapshot.slabs) {
    std::string holders;
    for (const std::string& name : slab.held_by) holders += (holders.empty() ? "" : ", ") + printable_name(name);
    table.row({std::to_string(slab.index), slab.generation == 0 ? "-" : human_count(slab.generation), slab.state,
               bar(slab.used_bytes, slab.capacity_bytes), human_bytes(slab.used_bytes), holders});
  }
  return table.text();
}

std::vector<std::string> ledger_cells(Role role, const Ledger& ledger) {
  const auto of_writers = [&](std::uint64_t value) { return role == Role::reader ? "-" : human_count(value); };
  const auto of_readers = [&](std::uint64_t value) { return role == Role::writer ? "-" : human_count(value); };
  return {of_writers(ledger.committed), role == Role::reader ? "-" : human_bytes(ledger.committed_bytes),
          of_writers(ledger.aborted),   of_writers(ledger.dropped),
          of_writers(ledger.abandoned), of_readers(ledger.delivered),
          of_readers(ledger.lost),      of_readers(ledger.skipped)};
}

std::string participants(const Snapshot& snapshot) {
  Table table({{"SLOT", Align::right},
               {"ROLE"},
               {"NAME"},
               {"PID", Align::right},
               {"STATE"},
               {"PROGRESS", Align::right},
               {"COMMITTED", Align::right},
               {"BYTES", Align::right},
               {"ABORTED", Align::right},
               {"DROPPED", Align::right},
               {"ABANDONED", Align::right},
               {"DELIVERED", Align::right},
               {"LOST", Align::right},
               {"SKIPPED", Align::right}});
  const auto add = [&](std::vector<std::string> who, Role role, const Ledger& ledger) {
    for (std::string& cell : ledger_cells(role, ledger)) who.push_back(std::move(cell));
    table.row(std::move(who));
  };
  for (const ParticipantSnapshot& participant : snapshot.participants) {
    add({std::to_string(participant.slot), std::string{to_string(participant.role)}, printable_name(participant.name),
         std::to_string(participant.pid), std::string{to_string(participant.state)},
         human_duration(std::chrono::milliseconds{participant.heartbeat_age_ms}) + " ago"},
        participant.role, participant.ledger);
  }
  add({"", "departed", human_count(snapshot.departed_participants), "", "", ""}, Role::none, snapshot.departed);
  return table.text();
}

std::string journal_line(const JournalRecord& record) {
  const std::string end =
      record.finished_ns == 0
          ? "not finished"
          : fmt::format("took {}", human_duration(std::chrono::nanoseconds{
                                       std::max(record.finished_ns, record.noticed_ns) - record.noticed_ns}));
  return fmt::format(
      "#{} {}: {} {} (pid {}, slot {}) held {}, last progress {} before; repaired {} ({}), reclaimed {}; "
      "proof: {}; {}\n",
      record.number, human_time(record.noticed_ns), to_string(record.role), printable_name(record.name), record.pid,
      record.slot, generations(record.held_first, record.held_last),
      human_duration(std::chrono::milliseconds{record.heartbeat_age_ms}), counted(record.repaired_frames, "frame"),
      human_bytes(record.repaired_bytes), counted(record.reclaimed_slabs, "slab"), record.proof, end);
}

}  // namespace

std::string status_text(const Snapshot& snapshot) {
  std::string text = head(snapshot) + '\n' + slabs(snapshot) + '\n' + participants(snapshot);
  if (!snapshot.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : snapshot.journal) text += journal_line(record);
  return text;
}

}  // namespace sapbuf::tools
