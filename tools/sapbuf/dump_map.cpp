// sapbuf dump SEGMENT/MAP: the entries as they stand, for post-mortems.
#include <fmt/format.h>

#include <sapbuf/sapbuf.hpp>

#include "common/human.hpp"
#include "common/json.hpp"
#include "sapbuf/dump_lines.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kKeyExcerptBytes = 40;
constexpr std::size_t kValueExcerptBytes = 60;
constexpr const char* kEntryRow = "{:>8}  {:>8}  {:<7}  {:>10}  {:>10}  {:>8}  {:<20}  {:<24}  {}";

std::string_view content_of(const EntryRecord& entry) {
  return {reinterpret_cast<const char*>(entry.content.data()), entry.content.size()};
}

// Of a value that is longer than what was asked for of it, with "..." behind it.
std::string value_excerpt(const EntryRecord& entry) { return excerpt(content_of(entry), kValueExcerptBytes); }

bool has_value(const EntryRecord& entry) { return entry.version != 0; }

std::string claimer_text(const EntryRecord& entry) {
  if (!entry.claimer) return "-";
  const std::string slot = fmt::format("slot {}", *entry.claimer);
  return entry.claimer_name.empty() ? slot : fmt::format("{} {}", slot, printable_name(entry.claimer_name));
}

std::string entry_head() {
  return fmt::format(kEntryRow, "ENTRY", "LIFE", "STATE", "VERSION", "SIZE", "BUFFER", "CLAIMED BY", "KEY", "VALUE");
}

std::string entry_row(const EntryRecord& entry) {
  const auto of_value = [&](std::uint64_t number) { return has_value(entry) ? std::to_string(number) : "-"; };
  const std::string buffer = entry.buffer != 0 ? std::to_string(entry.buffer) : "-";
  std::string text = fmt::format(kEntryRow, entry.number, entry.incarnation, entry.state, of_value(entry.version),
                                 of_value(entry.bytes), buffer, claimer_text(entry),
                                 excerpt(entry.key, kKeyExcerptBytes), value_excerpt(entry));
  text.erase(text.find_last_not_of(' ') + 1);
  return text + '\n';
}

std::string entry_json(const EntryRecord& entry) {
  Json json{{"entry", entry.number}, {"life", entry.incarnation}, {"state", std::string{entry.state}}};
  if (!entry.key.empty()) add_bytes(json, "key", entry.key);
  if (entry.claimer) json["claimed_by"] = {{"slot", *entry.claimer}, {"name", entry.claimer_name}};
  if (entry.buffer != 0) json["buffer"] = entry.buffer;
  if (has_value(entry)) {
    json["version"] = entry.version;
    json["flipped_ns"] = entry.flipped_ns;
    json["size"] = entry.bytes;
    json["excerpt"] = value_excerpt(entry);
  }
  return json_line(json);
}

}  // namespace

int dump_map(const FacilityName& name, bool json) {
  DumpLines lines{json ? "" : entry_head()};
  const auto walk = [&] {
    const auto show = [&](const EntryRecord& entry) { lines.add(json ? entry_json(entry) : entry_row(entry)); };
    sapbuf::dump(name.segment, name.name, show, kValueExcerptBytes + 1);
  };
  return lines.run(walk, "entry", "entries");
}

}  // namespace sapbuf::tools
