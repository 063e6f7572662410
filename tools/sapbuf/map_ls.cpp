// sapbuf map ls: the maps of a segment, or the keys of one.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/table.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/map_text.hpp"

namespace sapbuf::tools {

namespace {

struct MapLsOptions {
  std::string name;
  std::string prefix;
  bool json = false;
};

Json map_json(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  Json json = facility_json(facility.info);
  add_map(json, *facility.map);
  const Attached attached = count_attached(participants_of(snapshot, facility.info.name));
  json["writers"] = attached.writers;
  json["readers"] = attached.readers;
  json["dead"] = attached.dead;
  return json;
}

int ls_maps(const MapLsOptions& options) {
  const Snapshot snapshot = inspect(options.name, {.lag = false});
  Json maps = Json::array();
  Table table({{"NAME"},
               {"KEYS", Table::Align::right},
               {"ROOM (MAX)", Table::Align::right},
               {"VALUE", Table::Align::right},
               {"POOL"},
               {"CHANGES", Table::Align::right},
               {"WRITERS", Table::Align::right},
               {"READERS", Table::Align::right},
               {"DEAD", Table::Align::right},
               {"SIZE", Table::Align::right}});
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    if (!facility.map) continue;
    maps.push_back(map_json(snapshot, facility));
    const MapSnapshot& map = *facility.map;
    const Attached attached = count_attached(participants_of(snapshot, facility.info.name));
    table.row({printable_name(facility.info.name), human_count(map.keys),
               fmt::format("{} ({})", human_count(map.room), human_count(map.options.max_keys)),
               human_bytes(map.options.value_bytes), printable_name(map.pool), human_count(map.changes),
               human_count(attached.writers), human_count(attached.readers), human_count(attached.dead),
               human_bytes(facility.info.bytes)});
  }
  if (options.json) {
    print(json_line({{"schema_version", kSchemaVersion}, {"name", snapshot.name}, {"maps", maps}}));
  } else if (table.empty()) {
    spdlog::info("no maps in {}", printable_name(snapshot.name));
  } else {
    print(table.text());
  }
  return kDone;
}

// In the keys' order; JSON as one object a line.
int ls_keys(const MapLsOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  const MapReader reader{Map::open(Segment::open(name.segment), name.name)};
  Table table({{"KEY"}, {"VERSION", Table::Align::right}, {"SIZE", Table::Align::right}, {"CHANGED"}});
  struct Found {
    std::uint64_t version;
    std::uint64_t bytes;
    std::uint64_t flipped_ns;
    std::string json;
  };
  std::map<std::string, Found> found;
  const Status all = reader.for_each(
      [&](std::string_view key, const MapValue& value) {
        found.insert_or_assign(std::string{key}, Found{value.version(), value.bytes().size(), value.flipped_ns(),
                                                       options.json ? json_line(value_json(key, value)) : ""});
      },
      options.prefix);
  if (all != Status::ok) throw Failure(exit_code(all), fmt::format("{}: {}", name.text(), to_string(all)));
  std::string lines;
  for (const auto& [key, value] : found) {
    lines += value.json;
    table.row({excerpt(key, 80), human_count(value.version), human_bytes(value.bytes), human_time(value.flipped_ns)});
  }
  if (options.json) {
    print(lines);
  } else if (table.empty()) {
    spdlog::info("no keys in {}", name.text());
  } else {
    print(table.text());
  }
  return kDone;
}

int ls(const MapLsOptions& options) {
  return options.name.find('/') == std::string::npos ? ls_maps(options) : ls_keys(options);
}

}  // namespace

void add_map_ls(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapLsOptions>();
  CLI::App* command = map.add_subcommand("ls", "List the maps of a segment, or the keys of one of them");
  command->add_option("NAME", options->name, "SEGMENT: its maps; SEGMENT/MAP: the keys of that")->required();
  command->add_option("--prefix", options->prefix, "Only keys that begin with this");
  command->add_flag("--json", options->json,
                    "For programs: maps as one JSON object; keys as one a line, with their values (key_hex, value_hex "
                    "where that is not UTF-8)");
  command->callback([options, &chosen] { chosen = [options] { return ls(*options); }; });
}

}  // namespace sapbuf::tools
