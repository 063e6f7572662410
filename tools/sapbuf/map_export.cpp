// sapbuf map export: all keys with their values to standard output, for `sapbuf map import`.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/exit_code.hpp"
#include "common/output.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/map_record.hpp"

namespace sapbuf::tools {

namespace {

struct MapExportOptions {
  std::string name;
  std::string prefix;
};

// In the keys' order, so that two exports can be compared.
int export_map(const MapExportOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  const MapReader reader{Map::open(Segment::open(name.segment), name.name)};
  std::map<std::string, std::string, std::less<>> lines;
  const Status all = reader.for_each(
      [&](std::string_view key, const MapValue& value) {
        lines.insert_or_assign(std::string{key}, record_line(key, value.text()));
      },
      options.prefix);
  if (all != Status::ok) throw Failure(exit_code(all), fmt::format("{}: {}", name.text(), to_string(all)));
  Output output;
  for (const auto& [key, line] : lines) {
    output.put(line);
    if (output.closed()) break;
  }
  output.flush();
  return kDone;
}

}  // namespace

void add_map_export(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapExportOptions>();
  CLI::App* command = map.add_subcommand(
      "export",
      "Write all keys and values to standard output, one JSON object a line; each is whole, as it was at some moment");
  command->add_option("SEGMENT/MAP", options->name, "The segment, and the map's name in it")->required();
  command->add_option("--prefix", options->prefix, "Only keys that begin with this");
  command->callback([options, &chosen] { chosen = [options] { return export_map(*options); }; });
}

}  // namespace sapbuf::tools
