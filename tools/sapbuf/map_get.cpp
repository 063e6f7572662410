// sapbuf map get: a key's value to standard output, and nothing else.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/map_text.hpp"

namespace sapbuf::tools {

namespace {

struct MapGetOptions {
  std::string name;
  std::string key;
  bool json = false;
};

int get(const MapGetOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  const Map map = Map::open(Segment::open(name.segment), name.name);
  const MapReader reader{map};
  const MapValue value = reader.read(options.key);
  if (!value) throw no_value(name, options.key, value.status());
  print(options.json ? json_line(value_json(options.key, value)) : value.text());
  return kDone;
}

}  // namespace

void add_map_get(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapGetOptions>();
  CLI::App* command = map.add_subcommand("get", "Write a key's value to standard output; exit status 1: no such key");
  command->add_option("SEGMENT/MAP", options->name, "The segment, and the map's name in it")->required();
  command->add_option("KEY", options->key, "The key")->required();
  command->add_flag("--json", options->json,
                    "One JSON object, with version and time (key_hex, value_hex where that is not UTF-8)");
  command->callback([options, &chosen] { chosen = [options] { return get(*options); }; });
}

}  // namespace sapbuf::tools
