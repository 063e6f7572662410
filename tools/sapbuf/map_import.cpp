// sapbuf map import: puts what `sapbuf map export` wrote.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/line_source.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/map_record.hpp"
#include "sapbuf/map_text.hpp"

namespace sapbuf::tools {

namespace {

// A byte may take six as JSON ("\u0000").
constexpr std::size_t kMostForByte = 6;
constexpr std::size_t kMostForFields = 256;

struct MapImportOptions {
  std::string name;
  bool if_absent = false;
  std::chrono::milliseconds timeout{5000};
};

struct Imported {
  std::uint64_t put = 0;
  std::uint64_t left = 0;  // as they were
};

// False: a signal came while it waited.
bool put(MapWriter& writer, const FacilityName& name, const MapRecord& record, bool if_absent, Imported& imported) {
  const auto value = std::as_bytes(std::span{record.value});
  const Status status = if_absent ? writer.insert(record.key, value) : writer.put(record.key, value);
  if (status == Status::stopped) return false;
  if (status == Status::exists) {
    ++imported.left;
  } else if (status == Status::ok) {
    ++imported.put;
  } else {
    throw no_value(name, record.key, status);
  }
  return true;
}

// False: it was stopped before the end.
bool import_lines(const Map& map, const FacilityName& name, const MapImportOptions& options, Imported& imported) {
  MapWriter writer{map, {.timeout = options.timeout, .stop = &detail::stop_flag}};
  const MapOptions shape = map.options();
  LineSource lines{kMostForByte * (map.max_value_bytes() + shape.key_bytes) + kMostForFields};
  lines.open(STDIN_FILENO);
  std::string_view line;
  for (std::uint64_t number = 1;; ++number) {
    switch (lines.next(line)) {
      case LineSource::Next::line:
        break;
      case LineSource::Next::too_long:
        throw Failure(kFailure, fmt::format("line {}: longer than what this map takes", number));
      case LineSource::Next::end:
        return true;
      case LineSource::Next::stopped:
        return false;
      case LineSource::Next::failed:
        throw Failure(kFailure, fmt::format("cannot read standard input: {}", std::strerror(errno)));
    }
    if (line.empty()) continue;
    try {
      const MapRecord record = parse_record(line);
      check_key(name, map, record.key);
      if (!put(writer, name, record, options.if_absent, imported)) return false;
    } catch (const std::invalid_argument& error) {
      throw Failure(kFailure, fmt::format("line {}: {}", number, error.what()));
    } catch (const Failure& failure) {
      throw Failure(failure.code(), fmt::format("line {}: {}", number, failure.what()));
    }
  }
}

void tell(const FacilityName& name, const Imported& imported) {
  spdlog::info("imported {} into {}{}", counted(imported.put, "key"), name.text(),
               imported.left == 0 ? "" : fmt::format("; {} left as they were", counted(imported.left, "key")));
}

int import_map(const MapImportOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  const Map map = Map::open(Segment::open(name.segment), name.name);
  Imported imported;
  try {
    const bool at_end = import_lines(map, name, options, imported);
    tell(name, imported);
    return at_end ? kDone : kFailure;
  } catch (const Failure&) {
    tell(name, imported);
    throw;
  }
}

}  // namespace

void add_map_import(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapImportOptions>();
  CLI::App* command = map.add_subcommand(
      "import",
      "Put the keys and values that 'sapbuf map export' wrote, from standard input; other keys stay as they are");
  command->add_option("SEGMENT/MAP", options->name, "The segment, and the map's name in it")->required();
  command->add_flag("--if-absent", options->if_absent, "Leave keys that are there as they are");
  add_milliseconds(
      *command, "--timeout", "How long to wait for another writer of a key, or for room",
      [options](std::chrono::milliseconds time) { options->timeout = time; }, "5000");
  command->callback([options, &chosen] { chosen = [options] { return import_map(*options); }; });
}

}  // namespace sapbuf::tools
