// sapbuf map put: standard input becomes a key's value.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/input_read.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/map_text.hpp"

namespace sapbuf::tools {

namespace {

struct MapPutOptions {
  std::string name;
  std::string key;
  std::optional<std::uint64_t> if_version;
  std::chrono::milliseconds timeout{5000};
};

// Standard input up to its end; nothing if a signal came before.
std::optional<std::string> read_value(std::size_t most) {
  std::string value;
  char part[65536];
  while (value.size() <= most) {
    if (stop_requested()) return std::nullopt;
    const InputRead read = read_input(STDIN_FILENO, part, sizeof part);
    if (read.outcome == InputRead::Outcome::end) return value;
    if (read.outcome == InputRead::Outcome::failed) {
      throw Failure(kFailure, fmt::format("cannot read standard input: {}", std::strerror(errno)));
    }
    value.append(part, read.bytes);
  }
  throw Failure(kFailure, fmt::format("the value is larger than the {} that this map takes", human_bytes(most)));
}

Status put(MapWriter& writer, const std::string& value, const MapPutOptions& options) {
  MapDraft draft = writer.prepare(options.key, value.size());
  if (!draft) return draft.status();
  std::memcpy(draft.bytes().data(), value.data(), value.size());
  return options.if_version ? draft.flip_if(*options.if_version) : draft.flip();
}

int put(const MapPutOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  const Map map = Map::open(Segment::open(name.segment), name.name);
  check_key(name, map, options.key);
  const std::optional<std::string> value = read_value(map.max_value_bytes());
  if (!value) return kFailure;
  MapWriter writer{map, {.timeout = options.timeout, .stop = &detail::stop_flag}};
  const Status status = put(writer, *value, options);
  if (status == Status::stopped) return kFailure;
  if (status != Status::ok) throw no_value(name, options.key, status);
  return kDone;
}

}  // namespace

void add_map_put(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapPutOptions>();
  CLI::App* command = map.add_subcommand("put", "Make standard input, up to its end, a key's value");
  command->add_option("SEGMENT/MAP", options->name, "The segment, and the map's name in it")->required();
  command->add_option("KEY", options->key, "The key; it is inserted if it is not there")->required();
  add_count(
      *command, "--if-version", "Only if the key has this version still; 0: only if it is not there",
      [options](std::uint64_t value) { options->if_version = value; }, "", 0, UINT64_MAX);
  add_milliseconds(
      *command, "--timeout", "How long to wait for another writer of the key, or for room",
      [options](std::chrono::milliseconds time) { options->timeout = time; }, "5000");
  command->callback([options, &chosen] { chosen = [options] { return put(*options); }; });
}

}  // namespace sapbuf::tools
