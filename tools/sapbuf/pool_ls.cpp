// sapbuf pool ls: the pools of a segment, and how full they are.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <vector>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/table.hpp"
#include "sapbuf/pool_commands.hpp"
#include "sapbuf/pool_text.hpp"

namespace sapbuf::tools {

namespace {

struct PoolLsOptions {
  std::string segment;
  bool json = false;
};

struct PoolEntry {
  const FacilitySnapshot& facility;  // a pool
  Attached attached;
};

std::vector<PoolEntry> pools_of(const Snapshot& snapshot) {
  std::vector<PoolEntry> entries;
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    if (!facility.pool) continue;
    entries.push_back({facility, count_attached(participants_of(snapshot, facility.info.name))});
  }
  return entries;
}

Json to_json(const PoolEntry& entry) {
  Json json = facility_json(entry.facility.info);
  add_pool(json, *entry.facility.pool);
  json["users"] = entry.attached.users;
  json["dead"] = entry.attached.dead;
  return json;
}

Json to_json(const Snapshot& snapshot, const std::vector<PoolEntry>& entries) {
  Json pools = Json::array();
  for (const PoolEntry& entry : entries) pools.push_back(to_json(entry));
  return {{"schema_version", kSchemaVersion}, {"name", snapshot.name}, {"pools", pools}};
}

std::string size_cell(const PoolOptions& options) {
  if (options.max_bytes == 0) return human_bytes(options.buffer_bytes);
  return fmt::format("{} to {}", human_bytes(options.min_bytes), human_bytes(options.max_bytes));
}

std::string count_cell(const PoolSnapshot& pool) {
  return fmt::format("{} ({})", room_text(pool.options, pool.count), room_text(pool.options, pool.options.max_count));
}

std::string users_cell(const Attached& attached) {
  return human_count(attached.users) + (attached.dead == 0 ? "" : fmt::format(", {} dead", human_count(attached.dead)));
}

std::string for_people(const std::vector<PoolEntry>& entries) {
  Table table({{"NAME"},
               {"BUFFER", Table::Align::right},
               {"COUNT (MAX)", Table::Align::right},
               {"IN USE", Table::Align::right},
               {"SHARED", Table::Align::right},
               {"FREE", Table::Align::right},
               {"AT HAND", Table::Align::right},
               {"USERS", Table::Align::right},
               {"SIZE", Table::Align::right}});
  for (const auto& [facility, attached] : entries) {
    const PoolSnapshot& pool = *facility.pool;
    table.row({printable_name(facility.info.name), size_cell(pool.options), count_cell(pool), human_count(pool.in_use),
               human_count(pool.shared), room_text(pool.options, pool.free), human_count(pool.cached),
               users_cell(attached), human_bytes(facility.info.bytes)});
  }
  return table.text();
}

int ls(const PoolLsOptions& options) {
  const Snapshot snapshot = inspect(options.segment, {.lag = false});
  const std::vector<PoolEntry> entries = pools_of(snapshot);
  if (options.json) {
    print(json_line(to_json(snapshot, entries)));
  } else if (entries.empty()) {
    spdlog::info("no pools in {}", printable_name(snapshot.name));
  } else {
    print(for_people(entries));
  }
  return kDone;
}

}  // namespace

void add_pool_ls(CLI::App& pool, Action& chosen) {
  auto options = std::make_shared<PoolLsOptions>();
  CLI::App* command = pool.add_subcommand("ls", "List the pools of a segment, and where their buffers are");
  command->add_option("SEGMENT", options->segment, "The segment")->required();
  command->add_flag("--json", options->json, "One JSON object, for programs");
  command->callback([options, &chosen] { chosen = [options] { return ls(*options); }; });
}

}  // namespace sapbuf::tools
