#include "sapbuf/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/stream_name.hpp"
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

const char* retention(const StreamSnapshot& stream) {
  if (!stream.options.retain) return "";
  return stream.awaits_first_reader ? "; keeps everything until a first reader comes"
                                    : "; kept everything until its first reader came";
}

std::string delivery(const StreamSnapshot& stream) {
  const StreamOptions& options = stream.options;
  const std::string extents =
      options.order == Order::per_writer ? fmt::format(" (extents of {})", human_bytes(options.extent_bytes)) : "";
  return fmt::format("{} order{}, on full: {}{}", to_string(options.order), extents, to_string(options.on_full),
                     retention(stream));
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

std::string slabs(const StreamSnapshot& stream) {
  Table table({{"SLAB", Align::right},
               {"GENERATION", Align::right},
               {"STATE"},
               {"OCCUPANCY"},
               {"USED", Align::right},
               {"HELD BY"}});
  for (const SlabSnapshot& slab : stream.slabs) {
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

std::string participants(const std::vector<ParticipantSnapshot>& attached, const StreamSnapshot& stream) {
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
  for (const ParticipantSnapshot& participant : attached) {
    add({std::to_string(participant.slot), std::string{to_string(participant.role)}, printable_name(participant.name),
         std::to_string(participant.pid), std::string{to_string(participant.state)},
         human_duration(std::chrono::milliseconds{participant.heartbeat_age_ms}) + " ago"},
        participant.role, participant.ledger);
  }
  add({"", "departed", human_count(stream.departed_participants), "", "", ""}, Role::none, stream.departed);
  return table.text();
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
      human_bytes(record.repaired_bytes), counted(record.released, record.role == Role::user ? "buffer" : "slab"),
      record.proof, end);
}

std::string body(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  std::string text = '\n' + slabs(*facility.stream) + '\n' +
                     participants(participants_of(snapshot, facility.info.name), *facility.stream);
  if (!facility.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : facility.journal) text += journal_line(record);
  return text;
}

std::string buffers(const PoolSnapshot& pool) {
  const std::string more =
      pool.options.max_count == pool.count ? "" : fmt::format(" (up to {})", human_count(pool.options.max_count));
  const std::string waiting = pool.waiting == 0 ? "" : fmt::format("; {} waiting", counted(pool.waiting, "user"));
  const std::string given_back = pool.unbacked == 0 ? "" : fmt::format(" ({} given back)", human_count(pool.unbacked));
  return fmt::format("{} of {}{}; {} in use, {} shared, {} free{}, {} at hand{}", counted(pool.count, "buffer"),
                     human_bytes(pool.options.buffer_bytes), more, human_count(pool.in_use), human_count(pool.shared),
                     human_count(pool.free), given_back, human_count(pool.cached), waiting);
}

// "1.5 s", for how long the participant has had its oldest buffer.
std::string oldest(const PoolSnapshot& pool, std::uint32_t slot) {
  const auto holder = std::ranges::find(pool.holders, slot, &PoolHolder::slot);
  return holder == pool.holders.end() ? "-" : human_duration(std::chrono::milliseconds{holder->oldest_ms});
}

std::vector<std::string> pool_ledger_cells(const PoolLedger& ledger) {
  return {human_count(ledger.acquired), human_count(ledger.hits),     human_count(ledger.adopted),
          human_count(ledger.released), human_count(ledger.attached), human_count(ledger.reclaimed),
          human_count(ledger.refills),  human_count(ledger.stolen),   human_count(ledger.grown),
          human_count(ledger.waits)};
}

std::string users(const std::vector<ParticipantSnapshot>& attached, const PoolSnapshot& pool) {
  Table table({{"SLOT", Align::right},
               {"ROLE"},
               {"NAME"},
               {"PID", Align::right},
               {"STATE"},
               {"PROGRESS", Align::right},
               {"BUFFERS", Align::right},
               {"BYTES", Align::right},
               {"OLDEST", Align::right},
               {"ACQUIRED", Align::right},
               {"HITS", Align::right},
               {"ADOPTED", Align::right},
               {"RELEASED", Align::right},
               {"ATTACHED", Align::right},
               {"RECLAIMED", Align::right},
               {"REFILLS", Align::right},
               {"STOLEN", Align::right},
               {"GROWN", Align::right},
               {"WAITS", Align::right}});
  const auto add = [&](std::vector<std::string> who, const PoolLedger& ledger) {
    for (std::string& cell : pool_ledger_cells(ledger)) who.push_back(std::move(cell));
    table.row(std::move(who));
  };
  for (const ParticipantSnapshot& user : attached) {
    add({std::to_string(user.slot), std::string{to_string(user.role)}, printable_name(user.name),
         std::to_string(user.pid), std::string{to_string(user.state)},
         human_duration(std::chrono::milliseconds{user.heartbeat_age_ms}) + " ago",
         human_count(user.held_generations.size()), human_bytes(user.held_bytes), oldest(pool, user.slot)},
        user.pool_ledger);
  }
  add({"", "departed", human_count(pool.departed_users), "", "", "", "-", "-", "-"}, pool.departed);
  return table.text();
}

std::string facility_line(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  const std::string kind = printable(facility.info.kind);
  const std::string title = printable(title_of(snapshot.name, facility.info.name));
  if (facility.pool) return fmt::format("{} {}: {}\n", kind, title, buffers(*facility.pool));
  if (!facility.stream) return fmt::format("{} {}: {}\n", kind, title, human_bytes(facility.info.bytes));
  const StreamSnapshot& stream = *facility.stream;
  const Attached attached = count_attached(participants_of(snapshot, facility.info.name));
  return fmt::format("{} {}: {}; {}, generation {}; {}, {}{}\n", kind, title, delivery(stream),
                     slabs_in_short(stream.options), stream.generation, counted(attached.writers, "writer"),
                     counted(attached.readers, "reader"),
                     attached.dead == 0 ? "" : fmt::format(", {} dead", attached.dead));
}

}  // namespace

std::string segment_text(const Snapshot& snapshot) {
  const FacilitySnapshot* const main = find_stream(snapshot, kMainStream);
  std::string text = main != nullptr ? segment_head(snapshot, *main) + body(snapshot, *main)
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

std::string pool_text(const Snapshot& snapshot, const FacilitySnapshot& pool) {
  std::string text =
      fmt::format("{}: {}\n{} in all; made {}; {} taken back from the dead; at most {} were not free at a time\n\n",
                  printable(title_of(snapshot.name, pool.info.name)), buffers(*pool.pool), human_bytes(pool.info.bytes),
                  human_time(pool.info.created_ns), counted(pool.released, "buffer"), human_count(pool.pool->peak)) +
      users(participants_of(snapshot, pool.info.name), *pool.pool);
  if (!pool.journal.empty()) text += "\nJOURNAL\n";
  for (const JournalRecord& record : pool.journal) text += journal_line(record);
  return text;
}

std::string stream_text(const Snapshot& snapshot, std::string_view stream) {
  const FacilitySnapshot& facility = *find_stream(snapshot, stream);
  return stream_head(snapshot, facility) + body(snapshot, facility);
}

}  // namespace sapbuf::tools
