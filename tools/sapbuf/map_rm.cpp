// sapbuf map rm: takes a key out of a map, or a map out of its segment.
#include <memory>
#include <optional>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/stop.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/map_text.hpp"
#include "sapbuf/rm_facility.hpp"

namespace sapbuf::tools {

namespace {

struct MapRmOptions {
  std::string name;
  std::optional<std::string> key;
  std::chrono::milliseconds timeout{5000};
};

int rm_key(const FacilityName& name, const MapRmOptions& options) {
  const Map map = Map::open(Segment::open(name.segment), name.name);
  MapWriter writer{map, {.timeout = options.timeout, .stop = &detail::stop_flag}};
  const Status status = writer.erase(*options.key);
  if (status == Status::stopped) return kFailure;
  if (status != Status::ok) throw no_value(name, *options.key, status);
  return kDone;
}

int rm(const MapRmOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  if (options.key) return rm_key(name, options);
  rm_facility(name, "map", &Map::remove);
  return kDone;
}

}  // namespace

void add_map_rm(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapRmOptions>();
  CLI::App* command =
      map.add_subcommand("rm", "Remove a key, exit status 1: there is none; or, without one, a map that nobody uses");
  command->add_option("SEGMENT/MAP", options->name, "The segment, and the map's name in it")->required();
  command->add_option_function<std::string>(
      "KEY", [options](const std::string& key) { options->key = key; }, "The key");
  add_milliseconds(
      *command, "--timeout", "How long to wait for another writer of the key",
      [options](std::chrono::milliseconds time) { options->timeout = time; }, "5000");
  command->callback([options, &chosen] { chosen = [options] { return rm(*options); }; });
}

}  // namespace sapbuf::tools
