#include "sapbuf/pool_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/table.hpp"
#include "sapbuf/participant_cells.hpp"

namespace sapbuf::tools {

namespace {

using Align = Table::Align;

bool has_classes(const PoolOptions& options) { return options.max_bytes != 0; }

// "12 in use", or "12 in use (3 KiB)".
std::string buffers(const PoolSnapshot& pool, std::uint64_t count, std::uint64_t bytes, const char* what) {
  const std::string size = has_classes(pool.options) && count != 0 ? fmt::format(" ({})", human_bytes(bytes)) : "";
  return fmt::format("{} {}{}", human_count(count), what, size);
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

std::string users_table(const ShownParticipants& attached, const PoolSnapshot& pool) {
  Table table(participant_columns({{"BUFFERS", Align::right},
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
                                   {"WAITS", Align::right}}));
  const auto add = [&](std::vector<std::string> who, std::vector<std::string> has, const PoolLedger& ledger) {
    for (std::string& cell : has) who.push_back(std::move(cell));
    for (std::string& cell : pool_ledger_cells(ledger)) who.push_back(std::move(cell));
    table.row(std::move(who));
  };
  for (const ParticipantSnapshot& user : attached.shown) {
    add(participant_cells(user),
        {human_count(user.held_generations.size()), human_bytes(user.held_bytes), oldest(pool, user.slot)},
        user.pool_ledger);
  }
  add(departed_cells(pool.departed_users), {"-", "-", "-"}, pool.departed);
  return attached.text(table, "");
}

std::string classes_table(const PoolSnapshot& pool) {
  Table table({{"SIZE", Align::right}, {"BUFFERS", Align::right}, {"FREE", Align::right}});
  for (const PoolClass& its : pool.classes) {
    table.row({human_bytes(its.bytes), human_count(its.buffers), human_count(its.free)});
  }
  return table.text();
}

}  // namespace

std::string room_text(const PoolOptions& options, std::uint64_t count) {
  return has_classes(options) ? human_bytes(count * options.piece_bytes()) : human_count(count);
}

std::string room_for(const PoolOptions& options, std::uint64_t count) {
  if (!has_classes(options))
    return fmt::format("{} of {}", counted(count, "buffer"), human_bytes(options.buffer_bytes));
  return fmt::format("{} for buffers of {} to {}", room_text(options, count), human_bytes(options.min_bytes),
                     human_bytes(options.max_bytes));
}

std::string pool_in_short(const PoolSnapshot& pool) {
  const std::string more = pool.options.max_count == pool.count
                               ? ""
                               : fmt::format(" (up to {})", room_text(pool.options, pool.options.max_count));
  const std::string waiting = pool.waiting == 0 ? "" : fmt::format("; {} waiting", counted(pool.waiting, "user"));
  const std::string given_back =
      pool.unbacked == 0 ? "" : fmt::format(" ({} given back)", room_text(pool.options, pool.unbacked));
  return fmt::format("{}{}; {}, {}, {} free{}, {}{}", room_for(pool.options, pool.count), more,
                     buffers(pool, pool.in_use, pool.in_use_bytes, "in use"),
                     buffers(pool, pool.shared, pool.shared_bytes, "shared"), room_text(pool.options, pool.free),
                     given_back, buffers(pool, pool.cached, pool.cached_bytes, "at hand"), waiting);
}

std::string pool_tables(const ShownParticipants& users, const PoolSnapshot& pool) {
  return users_table(users, pool) + (pool.classes.empty() ? "" : '\n' + classes_table(pool));
}

std::string size_with_pool(const Segment& segment, std::uint64_t bytes, std::string_view own) {
  if (own.empty()) return fmt::format("{} in all, without its pool", human_bytes(bytes));
  for (const FacilityInfo& facility : segment.facilities()) {
    if (facility.name == own) bytes += facility.bytes;
  }
  return fmt::format("{} in all", human_bytes(bytes));
}

}  // namespace sapbuf::tools
