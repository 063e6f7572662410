#include "sapbuf/durable_text.hpp"

#include <fmt/format.h>

#include "common/human.hpp"
#include "common/table.hpp"

namespace sapbuf::tools {

namespace {

std::string whereabouts(const DurableReaderInfo& reader) {
  if (reader.slot) return fmt::format("in slot {}", *reader.slot);
  if (!reader.away_ms) return "away";
  return fmt::format("away for {}", human_duration(std::chrono::milliseconds{*reader.away_ms}));
}

std::string limits_text(const DurableOptions& limits) {
  const std::string bytes = limits.max_bytes == 0 ? "" : human_bytes(limits.max_bytes);
  const std::string time = limits.max_away == kForever ? "" : human_duration(limits.max_away);
  if (bytes.empty() && time.empty()) return "none";
  return bytes + (bytes.empty() || time.empty() ? "" : ", ") + time;
}

}  // namespace

std::string durable_table(const std::vector<DurableReaderInfo>& readers) {
  Table table({{"NAME"},
               {"WHERE"},
               {"LAG", Table::Align::right},
               {"LAG BYTES", Table::Align::right},
               {"KEEPS", Table::Align::right},
               {"LIMITS", Table::Align::right}});
  for (const DurableReaderInfo& reader : readers) {
    table.row({printable_name(reader.name), whereabouts(reader), human_count(reader.behind_messages),
               human_bytes(reader.behind_bytes), reader.slot ? "-" : human_bytes(reader.kept_bytes),
               limits_text(reader.limits)});
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
