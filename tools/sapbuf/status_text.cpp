#include "sapbuf/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/stream_name.hpp"
#include "common/table.hpp"
#include "sapbuf/durable_text.hpp"
#include "sapbuf/map_status.hpp"
#include "sapbuf/participant_cells.hpp"
#include "sapbuf/pool_text.hpp"
#include "sapbuf/queue_text.hpp"

namespace sapbuf::tools {

namespace {

using Align = Table::Align;

constexpr std::size_t kHoldersNamed = 8;

// "[##########..........]  52 %"
std::string bar(std::uint64_t used, std::uint64_t capacity) {
  constexpr std::uint64_t kWidth = 20;
  const double part = capacity == 0 ? 0 : std::min(1.0, static_cast<double>(used) / static_cast<double>(capacity));
  const auto filled = static_cast<std::size_t>(part * kWidth + 0.5);
  return fmt::format("[{}{}] {:3.0f} %", std::string(filled, '#'), std::string(kWidth - filled, '.'), part * 100);
}

const char* retention(const StreamSnapshot& stream) {
  if (!stream.options.retain) return "";
  return stream.awaits_first_reader ? "; keeps everything until a first reader comes"
                                    : "; kept everything until its first reader came";
}

std::string delivery(const StreamSnapshot& stream) {
  const StreamOptions& options = stream.options;
  const std::string extents =
      options.order == Order::per_writer ? fmt::format(" (extents of {})", human_bytes(options.extent_bytes)) : "";
  const std::string alignment =
      options.payload_alignment > 8 ? fmt::format(", payloads at multiples of {}", options.payload_alignment) : "";
  return fmt::format("{} order{}{}, on full: {}{}", to_string(options.order), extents, alignment,
                     to_string(options.on_full), retention(stream));
}

std::string slabs_in_short(const StreamOptions& options) {
  return fmt::format("{} of {}", counted(options.slabs, "slab"), human_bytes(options.slab_bytes));
}

std::string progress(const FacilitySnapshot& facility) {
  return fmt::format("generation {}; {} taken back from the dead\n", facility.stream->generation,
                     counted(facility.released, "slab"));
}

std::string room(const Snapshot& snapshot) {
  return fmt::format("{} in all, room for {}; ABI {}, made {}\n", human_bytes(snapshot.bytes),
                     counted(snapshot.options.participants, "participant"), snapshot.abi,
                     human_time(snapshot.created_ns));
}

std::string segment_head(const Snapshot& snapshot, const FacilitySnapshot& main) {
  return fmt::format("{}: {}\n{}, {}", printable_name(snapshot.name), delivery(*main.stream),
                     slabs_in_short(main.stream->options), room(snapshot)) +
         progress(main);
}

std::string stream_head(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  return fmt::format("{}: {}\n{}, {} in all; made {}\n", printable(title_of(snapshot.name, facility.info.name)),
                     delivery(*facility.stream), slabs_in_short(facility.stream->options),
                     human_bytes(facility.info.bytes), human_time(facility.info.created_ns)) +
         progress(facility);
}

std::string names_of(const std::vector<std::string>& holders) {
  std::string text;
  for (std::size_t at = 0; at < std::min(holders.size(), kHoldersNamed); ++at) {
    text += (at == 0 ? "" : ", ") + printable_name(holders[at]);
  }
  return holders.size() <= kHoldersNamed ? text : fmt::format("{} and {} more", text, holders.size() - kHoldersNamed);
}

std::string slabs(const StreamSnapshot& stream) {
  Table table({{"SLAB", Align::right},
               {"GENERATION", Align::right},
               {"STATE"},
               {"OCCUPANCY"},
               {"USED", Align::right},
               {"HELD BY", Align::left, {.cut = Table::Cut::end}}});
  for (const SlabSnapshot& slab : stream.slabs) {
    table.row({std::to_string(slab.index), slab.generation == 0 ? "-" : human_count(slab.generation), slab.state,
               bar(slab.used_bytes, slab.capacity_bytes), human_bytes(slab.used_bytes), names_of(slab.held_by)});
  }
  return table.text();
}

std::vector<std::string> ledger_cells(Role role, const Ledger& ledger, const std::optional<Lag>& lag) {
  const auto of_writers = [&](std::uint64_t value) { return role == Role::reader ? "-" : human_count(value); };
  const auto of_readers = [&](std::uint64_t value) { return role == Role::writer ? "-" : human_count(value); };
  return {of_writers(ledger.committed),
          role == Role::reader ? "-" : human_bytes(ledger.committed_bytes),
          of_writers(ledger.aborted),
          of_writers(ledger.dropped),
          of_writers(ledger.abandoned),
          of_readers(ledger.delivered),
          of_readers(ledger.lost),
          of_readers(ledger.skipped),
          lag ? human_count(lag->messages) : "-",
          lag ? human_bytes(lag->bytes) : "-"};
}

std::string participants(const std::vector<ParticipantSnapshot>& attached, const StreamSnapshot& stream,
                         const ParticipantFilter& filter) {
  Table table(participant_columns({{"COMMITTED", Align::right},
                                   {"BYTES", Align::right},
                                   {"ABORTED", Align::right},
                                   {"DROPPED", Align::right},
                                   {"ABANDONED", Align::right},
                                   {"DELIVERED", Align::right, {.begins_part = true}},
                                   {"LOST", Align::right},
                                   {"SKIPPED", Align::right},
                                   {"LAG", Align::right},
                                   {"LAG BYTES", Align::right}}));
  const auto add = [&](std::vector<std::string> who, Role role, const Ledger& ledger, const std::optional<Lag>& lag) {
    for (std::string& cell : ledger_cells(role, ledger, lag)) who.push_back(std::move(cell));
    table.row(std::move(who));
  };
  const ShownParticipants chosen = choose_shown(attached, filter);
  for (const ParticipantSnapshot& participant : chosen.shown) {
    add(participant_cells(participant), participant.role, participant.ledger, participant.lag);
  }
  add(departed_cells(stream.departed_participants), Role::none, stream.departed, {});
  return chosen.text(table, "");
}

std::string journal_line(const JournalRecord& record) {
  const std::string end =
      record.finished_ns == 0
          ? "not finished"
          : fmt::format("took {}", human_duration(std::chrono::nanoseconds{
                                       std::max(record.finished_ns, record.noticed_ns) - record.noticed_ns}));
  return fmt::format(
      "#{} {}: {} {} (pid {}, slot {}) held {}{}, last progress {} before; {} ({}), released {}; "
      "proof: {}; {}\n",
      record.number, human_time(record.noticed_ns), to_string(record.role), printable_name(record.name), record.pid,
      record.slot, holdings(record.role, record.held_first, record.held_last),
      holdings_in_bytes(record.role, record.held_count, record.held_bytes),
      human_duration(std::chrono::milliseconds{record.heartbeat_age_ms}), counted(record.repairs, "repair"),
      human_bytes(record.repaired_bytes), counted(record.released, holds_buffers(record.role) ? "buffer" : "slab"),
      record.proof, end);
}

std::string body(const Snapshot& snapshot, const FacilitySnapshot& facility, const ParticipantFilter& filter) {
  const std::vector<ParticipantSnapshot> all = participants_of(snapshot, facility.info.name);
  std::string text = '\n' + slabs(*facility.stream) + '\n' + participants(all, *facility.stream, filter);
  if (!facility.stream->durable_readers.empty()) {
    text += "\nDURABLE READERS\n" + durable_table(facility.stream->durable_readers, all);
  }
  if (!facility.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : facility.journal) text += journal_line(record);
  return text;
}

std::string cell_in_short(const CellSnapshot& cell) {
  return fmt::format("a value of {}, {} so far", human_bytes(cell.value_bytes), counted(cell.version, "store"));
}

std::string facility_line(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  const std::string kind = printable(facility.info.kind);
  const std::string title = printable(title_of(snapshot.name, facility.info.name));
  if (facility.pool) return fmt::format("{} {}: {}\n", kind, title, pool_in_short(*facility.pool));
  if (facility.map) return fmt::format("{} {}: {}\n", kind, title, map_in_short(*facility.map));
  if (facility.queue) return fmt::format("{} {}: {}\n", kind, title, queue_in_short(*facility.queue));
  if (facility.cell) return fmt::format("{} {}: {}\n", kind, title, cell_in_short(*facility.cell));
  if (!facility.stream) return fmt::format("{} {}: {}\n", kind, title, human_bytes(facility.info.bytes));
  const StreamSnapshot& stream = *facility.stream;
  const Attached attached = count_attached(participants_of(snapshot, facility.info.name));
  return fmt::format("{} {}: {}; {}, generation {}; {}, {}{}\n", kind, title, delivery(stream),
                     slabs_in_short(stream.options), stream.generation, counted(attached.writers, "writer"),
                     counted(attached.readers, "reader"),
                     attached.dead == 0 ? "" : fmt::format(", {} dead", attached.dead));
}

}  // namespace

std::string segment_text(const Snapshot& snapshot, const ParticipantFilter& filter) {
  const FacilitySnapshot* const main = find_stream(snapshot, kMainStream);
  std::string text = main != nullptr ? segment_head(snapshot, *main) + body(snapshot, *main, filter)
                                     : fmt::format("{}: no stream '{}'\n{}", printable_name(snapshot.name), kMainStream,
                                                   room(snapshot));
  bool first = true;
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    if (&facility == main) continue;
    if (std::exchange(first, false)) text += main != nullptr ? "\nALSO IN THIS SEGMENT\n" : "\nIN THIS SEGMENT\n";
    text += facility_line(snapshot, facility);
  }
  return text;
}

std::string pool_text(const Snapshot& snapshot, const FacilitySnapshot& pool, const ParticipantFilter& filter) {
  std::string text =
      fmt::format("{}: {}\n{} in all; made {}; {} taken back from the dead; at most {} were not free at a time\n\n",
                  printable(title_of(snapshot.name, pool.info.name)), pool_in_short(*pool.pool),
                  human_bytes(pool.info.bytes), human_time(pool.info.created_ns), counted(pool.released, "buffer"),
                  human_count(pool.pool->peak)) +
      pool_tables(choose_shown(participants_of(snapshot, pool.info.name), filter), *pool.pool);
  if (!pool.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : pool.journal) text += journal_line(record);
  return text;
}

std::string map_text(const Snapshot& snapshot, const FacilitySnapshot& map, const ParticipantFilter& filter) {
  std::string text =
      fmt::format("{}: {}\n{} in all, without its pool; made {}; {} taken back from the dead\n\n",
                  printable(title_of(snapshot.name, map.info.name)), map_in_short(*map.map),
                  human_bytes(map.info.bytes), human_time(map.info.created_ns), counted(map.released, "buffer")) +
      map_table(choose_shown(participants_of(snapshot, map.info.name), filter), *map.map);
  if (!map.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : map.journal) text += journal_line(record);
  return text;
}

std::string queue_text(const Snapshot& snapshot, const FacilitySnapshot& queue, const ParticipantFilter& filter) {
  std::string text =
      fmt::format("{}: {}\n{} in all, without its pool; made {}; {} taken back from the dead\n\n",
                  printable(title_of(snapshot.name, queue.info.name)), queue_in_short(*queue.queue),
                  human_bytes(queue.info.bytes), human_time(queue.info.created_ns), counted(queue.released, "block")) +
      queue_tables(choose_shown(participants_of(snapshot, queue.info.name), filter), *queue.queue);
  if (!queue.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : queue.journal) text += journal_line(record);
  return text;
}

std::string cell_text(const Snapshot& snapshot, const FacilitySnapshot& cell, const ParticipantFilter& filter) {
  std::string text =
      fmt::format("{}: {}\n{} in all; made {}\n\n", printable(title_of(snapshot.name, cell.info.name)),
                  cell_in_short(*cell.cell), human_bytes(cell.info.bytes), human_time(cell.info.created_ns));
  Table table(participant_columns({}));
  const ShownParticipants chosen = choose_shown(participants_of(snapshot, cell.info.name), filter);
  for (const ParticipantSnapshot& one : chosen.shown) table.row(participant_cells(one));
  text += chosen.text(table, "nobody reads or writes it\n");
  if (!cell.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : cell.journal) text += journal_line(record);
  return text;
}

std::string stream_text(const Snapshot& snapshot, std::string_view stream, const ParticipantFilter& filter) {
  const FacilitySnapshot& facility = *find_stream(snapshot, stream);
  return stream_head(snapshot, facility) + body(snapshot, facility, filter);
}

}  // namespace sapbuf::tools
