// sapbuf ls: the streams on this host.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/table.hpp"
#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

namespace {

struct Attached {
  std::uint64_t writers = 0;  // alive
  std::uint64_t readers = 0;  // alive
  std::uint64_t dead = 0;     // not recovered yet
};

Attached count_participants(const Snapshot& snapshot) {
  Attached attached;
  for (const ParticipantSnapshot& participant : snapshot.participants) {
    if (participant.state == Liveness::dead) {
      ++attached.dead;
    } else if (participant.role == Role::writer) {
      ++attached.writers;
    } else {
      ++attached.readers;
    }
  }
  return attached;
}

struct Entry {
  std::string name;
  std::optional<Snapshot> snapshot;
  std::string problem;  // why there is no snapshot
};

std::vector<Entry> look_at_all() {
  std::vector<Entry> entries;
  for (const std::string& name : Segment::list()) {
    try {
      entries.push_back({name, inspect(name), {}});
    } catch (const Error& error) {
      if (error.errc() == Errc::not_found) continue;  // removed meanwhile
      entries.push_back({name, std::nullopt, error.what()});
    }
  }
  return entries;
}

Json to_json(const Entry& entry) {
  if (!entry.snapshot) return {{"name", entry.name}, {"problem", entry.problem}};
  const Snapshot& snapshot = *entry.snapshot;
  const Attached attached = count_participants(snapshot);
  return {{"name", entry.name},
          {"bytes", snapshot.bytes},
          {"order", std::string{to_string(snapshot.options.order)}},
          {"on_full", std::string{to_string(snapshot.options.on_full)}},
          {"slabs", snapshot.options.slabs},
          {"slab_bytes", snapshot.options.slab_bytes},
          {"generation", snapshot.generation},
          {"writers", attached.writers},
          {"readers", attached.readers},
          {"dead", attached.dead}};
}

std::string for_people(const std::vector<Entry>& entries) {
  using Align = Table::Align;
  Table table({{"NAME"},
               {"SIZE", Align::right},
               {"ORDER"},
               {"ON-FULL"},
               {"SLABS", Align::right},
               {"GENERATION", Align::right},
               {"WRITERS", Align::right},
               {"READERS", Align::right},
               {"DEAD", Align::right}});
  std::string unreadable;
  for (const Entry& entry : entries) {
    if (!entry.snapshot) {
      unreadable += fmt::format("{}  cannot be read: {}\n", printable_name(entry.name), printable(entry.problem));
      continue;
    }
    const Snapshot& snapshot = *entry.snapshot;
    const Attached attached = count_participants(snapshot);
    table.row({printable_name(entry.name), human_bytes(snapshot.bytes), std::string{to_string(snapshot.options.order)},
               std::string{to_string(snapshot.options.on_full)},
               fmt::format("{} x {}", snapshot.options.slabs, human_bytes(snapshot.options.slab_bytes)),
               human_count(snapshot.generation), human_count(attached.writers), human_count(attached.readers),
               human_count(attached.dead)});
  }
  return (table.empty() ? "" : table.text()) + unreadable;
}

int ls(bool as_json) {
  const std::vector<Entry> entries = look_at_all();
  if (as_json) {
    Json segments = Json::array();
    for (const Entry& entry : entries) segments.push_back(to_json(entry));
    print(json_line({{"schema_version", kSchemaVersion}, {"segments", segments}}));
  } else {
    if (entries.empty()) spdlog::info("no streams on this host");
    print(for_people(entries));
  }
  return kDone;
}

}  // namespace

void add_ls(CLI::App& app, Action& chosen) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("ls", "List the streams on this host");
  command->add_flag("--json", *as_json, "One JSON object, for programs");
  command->callback([as_json, &chosen] { chosen = [as_json] { return ls(*as_json); }; });
}

}  // namespace sapbuf::tools
