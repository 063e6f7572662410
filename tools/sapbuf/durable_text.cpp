#include "sapbuf/durable_text.hpp"

#include <fmt/format.h>

#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/table.hpp"

namespace sapbuf::tools {

namespace {

std::string whereabouts(const DurableReaderInfo& reader, bool was_killed) {
  if (reader.slot && was_killed) return fmt::format("dead, in slot {}", *reader.slot);
  if (reader.slot) return fmt::format("in slot {}", *reader.slot);
  if (!reader.away_ms) return "away";
  return fmt::format("away for {}", human_duration(std::chrono::milliseconds{*reader.away_ms}));
}

std::string kept_text(const DurableReaderInfo& reader, const ParticipantSnapshot* killed) {
  if (killed != nullptr) return human_bytes(killed->held_bytes);
  return reader.slot ? "-" : human_bytes(reader.kept_bytes);
}

std::string limits_text(const DurableOptions& limits) {
  const std::string bytes = limits.max_bytes == 0 ? "" : human_bytes(limits.max_bytes);
  const std::string time = limits.max_away == kForever ? "" : human_duration(limits.max_away);
  if (bytes.empty() && time.empty()) return "none";
  return bytes + (bytes.empty() || time.empty() ? "" : ", ") + time;
}

}  // namespace

std::string durable_table(const std::vector<DurableReaderInfo>& readers,
                          const std::vector<ParticipantSnapshot>& participants) {
  Table table({{"NAME"},
               {"WHERE"},
               {"LAG", Table::Align::right},
               {"LAG BYTES", Table::Align::right},
               {"KEEPS", Table::Align::right},
               {"LIMITS", Table::Align::right}});
  for (const DurableReaderInfo& reader : readers) {
    const ParticipantSnapshot* const killed = find_killed(reader, participants);
    table.row({printable_name(reader.name), whereabouts(reader, killed != nullptr), human_count(reader.behind_messages),
               human_bytes(reader.behind_bytes), kept_text(reader, killed), limits_text(reader.limits)});
  }
  return table.text();
}

std::string names_of(const std::vector<DurableReaderInfo>& readers) {
  std::string names;
  for (const DurableReaderInfo& reader : readers) names += (names.empty() ? "" : ", ") + printable_name(reader.name);
  return names;
}

std::uint64_t kept_bytes(const std::vector<DurableReaderInfo>& readers) noexcept {
  std::uint64_t most = 0;
  for (const DurableReaderInfo& reader : readers) most = std::max(most, reader.kept_bytes);
  return most;
}

}  // namespace sapbuf::tools
