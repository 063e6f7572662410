// sapbuf ls: the segments on this host, and what is in them.
#include <fmt/format.h>
#include <fnmatch.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/table.hpp"
#include "common/terminal.hpp"
#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

namespace {

struct Entry {
  std::string name;
  std::optional<Snapshot> snapshot;
  std::string problem;  // why there is no snapshot
};

// * and ? stand for anything.
bool is_named(const std::string& name, const std::vector<std::string>& patterns) {
  return patterns.empty() || std::ranges::any_of(patterns, [&](const std::string& pattern) {
           return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
         });
}

std::vector<Entry> look_at(const std::vector<std::string>& patterns) {
  std::vector<Entry> entries;
  for (const std::string& name : Segment::list()) {
    if (!is_named(name, patterns)) continue;
    try {
      entries.push_back({name, inspect(name, {.lag = false}), {}});
    } catch (const Error& error) {
      if (error.errc() == Errc::not_found) continue;  // removed meanwhile
      entries.push_back({name, std::nullopt, error.what()});
    }
  }
  return entries;
}

void add_stream(Json& json, const StreamOptions& options, std::uint64_t generation) {
  json["order"] = std::string{to_string(options.order)};
  json["on_full"] = std::string{to_string(options.on_full)};
  json["slabs"] = options.slabs;
  json["slab_bytes"] = options.slab_bytes;
  json["generation"] = generation;
}

void add_attached(Json& json, const std::vector<ParticipantSnapshot>& participants) {
  const Attached attached = count_attached(participants);
  json["writers"] = attached.writers;
  json["readers"] = attached.readers;
  json["users"] = attached.users;
  json["dead"] = attached.dead;
}

Json to_json(const FacilitySnapshot& facility, const Snapshot& snapshot) {
  Json json = facility_json(facility.info);
  if (facility.stream) add_stream(json, facility.stream->options, facility.stream->generation);
  add_attached(json, participants_of(snapshot, facility.info.name));
  return json;
}

Json to_json(const Entry& entry) {
  if (!entry.snapshot) return {{"name", entry.name}, {"problem", entry.problem}};
  const Snapshot& snapshot = *entry.snapshot;
  Json json{{"name", entry.name}, {"bytes", snapshot.bytes}};
  if (const FacilitySnapshot* const main = find_stream(snapshot, kMainStream)) {
    add_stream(json, main->stream->options, main->stream->generation);
  } else {
    for (const char* key : {"order", "on_full", "slabs", "slab_bytes", "generation"}) json[key] = nullptr;
  }
  add_attached(json, snapshot.participants);
  json["facilities"] = Json::array();
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    json["facilities"].push_back(to_json(facility, snapshot));
  }
  return json;
}

// ORDER, ON-FULL, SLABS, GENERATION
std::vector<std::string> stream_cells(const FacilitySnapshot* facility) {
  if (facility == nullptr || !facility->stream) return {"-", "-", "-", "-"};
  const StreamOptions& options = facility->stream->options;
  return {std::string{to_string(options.order)}, std::string{to_string(options.on_full)},
          fmt::format("{} x {}", options.slabs, human_bytes(options.slab_bytes)),
          human_count(facility->stream->generation)};
}

// WRITERS, READERS, USERS, DEAD
std::vector<std::string> attached_cells(const std::vector<ParticipantSnapshot>& participants) {
  const Attached attached = count_attached(participants);
  return {human_count(attached.writers), human_count(attached.readers), human_count(attached.users),
          human_count(attached.dead)};
}

template <class... Cells>
std::vector<std::string> joined(std::vector<std::string> first, const Cells&... others) {
  (first.insert(first.end(), others.begin(), others.end()), ...);
  return first;
}

// A line for each segment: its stream `main`, and the participants of all its streams.
class ShortTable {
 public:
  void add(const Snapshot& snapshot) {
    table_.row(joined({printable_name(snapshot.name), human_bytes(snapshot.bytes)},
                      stream_cells(find_stream(snapshot, kMainStream)), attached_cells(snapshot.participants)));
  }
  const Table& table() const noexcept { return table_; }

 private:
  Table table_{{{"NAME", Table::Align::left, {.cut = Table::Cut::middle}},
                {"SIZE", Table::Align::right},
                {"ORDER", Table::Align::left, {.leave_out = 2}},
                {"ON-FULL", Table::Align::left, {.leave_out = 3}},
                {"SLABS", Table::Align::right, {.leave_out = 4}},
                {"GENERATION", Table::Align::right, {.leave_out = 1}},
                {"WRITERS", Table::Align::right},
                {"READERS", Table::Align::right},
                {"USERS", Table::Align::right},
                {"DEAD", Table::Align::right}}};
};

// Below each segment's line, one for each facility of it.
class LongTable {
 public:
  void add(const Snapshot& snapshot) {
    static const std::vector<std::string> no_stream(4);
    table_.row(joined({printable_name(snapshot.name), "segment", human_bytes(snapshot.bytes)}, no_stream,
                      attached_cells(snapshot.participants)));
    for (const FacilitySnapshot& facility : snapshot.facilities) {
      const FacilityInfo& info = facility.info;
      table_.row(joined({"  " + printable_name(info.name), printable(info.kind), human_bytes(info.bytes)},
                        stream_cells(&facility), attached_cells(participants_of(snapshot, info.name))));
    }
  }
  const Table& table() const noexcept { return table_; }

 private:
  Table table_{{{"NAME", Table::Align::left, {.cut = Table::Cut::middle}},
                {"KIND"},
                {"SIZE", Table::Align::right},
                {"ORDER", Table::Align::left, {.leave_out = 2}},
                {"ON-FULL", Table::Align::left, {.leave_out = 3}},
                {"SLABS", Table::Align::right, {.leave_out = 4}},
                {"GENERATION", Table::Align::right, {.leave_out = 1}},
                {"WRITERS", Table::Align::right},
                {"READERS", Table::Align::right},
                {"USERS", Table::Align::right},
                {"DEAD", Table::Align::right}}};
};

template <class Lines>
std::string for_people(const std::vector<Entry>& entries, Lines lines) {
  std::string unreadable;
  for (const Entry& entry : entries) {
    if (entry.snapshot) {
      lines.add(*entry.snapshot);
    } else {
      unreadable += fmt::format("{}  cannot be read: {}\n", printable_name(entry.name), printable(entry.problem));
    }
  }
  return (lines.table().empty() ? "" : lines.table().text()) + unreadable;
}

struct LsOptions {
  std::vector<std::string> patterns;  // of names; empty: all
  bool json = false;
  bool is_long = false;
};

int ls(const LsOptions& options) {
  const std::vector<Entry> entries = look_at(options.patterns);
  if (options.json) {
    Json segments = Json::array();
    for (const Entry& entry : entries) segments.push_back(to_json(entry));
    print(json_line({{"schema_version", kSchemaVersion}, {"segments", segments}}));
    return kDone;
  }
  if (entries.empty()) spdlog::info("no segments {}", options.patterns.empty() ? "on this host" : "of that name");
  const std::string text = options.is_long ? for_people(entries, LongTable{}) : for_people(entries, ShortTable{});
  print(wrapped(text, output_width()));
  return kDone;
}

}  // namespace

void add_ls(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<LsOptions>();
  CLI::App* command = app.add_subcommand("ls", "List the segments on this host, and with -l what is in them");
  command
      ->add_option("--filter", options->patterns,
                   "Only segments of that name (* and ? stand for anything); several: any of them")
      ->type_name("PATTERN")
      ->expected(1)
      ->take_all();
  command->add_flag("-l,--long", options->is_long, "Below each segment, all that is in it");
  command->add_flag("--json", options->json, "One JSON object, for programs; always in full");
  command->callback([options, &chosen] { chosen = [options] { return ls(*options); }; });
}

}  // namespace sapbuf::tools
