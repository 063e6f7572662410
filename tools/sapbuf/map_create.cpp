// sapbuf map create: a map in a segment that is there.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/pool_text.hpp"
#include "sapbuf/tell_found.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::uint64_t kMostKeys = std::uint64_t{1} << 28;

struct MapCreateOptions {
  std::string name;
  MapOptions map;
  bool if_absent = false;
};

void tell_created(const std::string& title, const Map& map) {
  const MapOptions made = map.options();
  const std::string more =
      made.max_keys == made.keys ? "" : fmt::format(", growing up to {}", human_count(made.max_keys));
  const std::string values = made.pool.empty() ? "of its own" : fmt::format("of pool {}", made.pool);
  const std::string own_pool = made.pool.empty() ? map.name() + ".values" : "";
  spdlog::info("created {}: room for {}{}, values of up to {} in buffers {}, {}", title, counted(made.keys, "key"),
               more, human_bytes(made.value_bytes), values, size_with_pool(map.segment(), map.bytes(), own_pool));
}

int create(const MapCreateOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  const Segment segment = Segment::open(name.segment);
  const Map map = options.if_absent ? Map::open_or_create(segment, name.name, options.map)
                                    : Map::create(segment, name.name, options.map);
  map.created() ? tell_created(name.text(), map) : tell_found(name.text(), map.differences(options.map));
  return kDone;
}

}  // namespace

void add_map_create(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapCreateOptions>();
  CLI::App* command = map.add_subcommand("create", "Make a map in a segment that is there, also one in use");
  command->add_option("SEGMENT/MAP", options->name, "The segment, and the map's name in it")->required();
  add_count(
      *command, "--keys", "Keys that there is room for at first",
      [options](std::uint64_t value) { options->map.keys = value; }, "1024", 1, kMostKeys);
  add_count(
      *command, "--max-keys", "That it may grow to, for 16 to 32 bytes each at once; unless given, it does not grow",
      [options](std::uint64_t value) { options->map.max_keys = value; }, "", 1, kMostKeys);
  add_count(
      *command, "--key-bytes", "Size of a key at the most, 1 to 255",
      [options](std::uint64_t value) { options->map.key_bytes = value; }, "255", 1, 255);
  CLI::Option* const value_bytes = add_size(
      *command, "--value-bytes", "Size of a value at the most",
      [options](std::uint64_t value) { options->map.value_bytes = value; }, "512");
  CLI::Option* const values = add_count(
      *command, "--values", "Buffers for values at first; unless given, half as many again as keys, and 64",
      [options](std::uint64_t value) { options->map.values = value; }, "", 0, UINT64_MAX);
  command
      ->add_option("--pool", options->map.pool,
                   "A pool of the segment whose buffers are the values, instead of one of the map's own; with size "
                   "classes, for values of all sizes")
      ->excludes(value_bytes)
      ->excludes(values);
  command->add_flag("--if-absent", options->if_absent,
                    "If it exists, leave it as it is, say what differs, and succeed if it can be used");
  command->callback([options, &chosen] { chosen = [options] { return create(*options); }; });
}

}  // namespace sapbuf::tools
