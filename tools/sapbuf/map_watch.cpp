// sapbuf map watch: a line for each change of a map, or of one key.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <optional>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/stop.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/map_commands.hpp"
#include "sapbuf/map_text.hpp"
#include "sapbuf/name_watch.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kShownBytes = 100;

struct MapWatchOptions {
  std::string name;
  std::optional<std::string> key;
  std::uint64_t changes = 0;  // to show; 0: for ever
  bool json = false;
};

class Watch {
 public:
  Watch(const Map& map, const MapWatchOptions& options) : options_(options), name_(map) {}

  bool is_over() {
    return stop_requested() || output_.look_if_closed() || (options_.changes != 0 && shown_ >= options_.changes);
  }
  // The map was removed, and the last writer has left it: once what stands there is shown, that was all.
  bool nobody_writes_any_more() {
    if (!deserted_ && name_.is_due()) deserted_ = name_.is_gone_without(Role::editor);
    return deserted_;
  }
  void show(std::string_view key, const MapValue& value) {
    if (is_over()) return;
    ++shown_;
    output_.put(options_.json ? json_line(value_json(key, value))
                              : fmt::format("{}\t{}\t{}\n", value.version(), excerpt(key, kShownBytes),
                                            excerpt(value.text(), kShownBytes)));
  }
  void show_gone(std::string_view key) {
    if (is_over()) return;
    ++shown_;
    if (!options_.json) return output_.put(fmt::format("0\t{}\n", excerpt(key, kShownBytes)));
    Json json;
    add_bytes(json, "key", key);
    json["version"] = 0;
    output_.put(json_line(json));
  }
  void flush() { output_.flush(); }

 private:
  const MapWatchOptions& options_;
  NameWatch name_;
  bool deserted_ = false;
  Output output_;
  std::uint64_t shown_ = 0;
};

// False: it was not asked to end, but nothing more can come.
bool watch_key(const MapReader& reader, const std::string& key, Watch& watch) {
  MapEntry entry = reader.entry(key);
  std::uint64_t seen = 0;
  while (!watch.is_over()) {
    const bool is_last_look = watch.nobody_writes_any_more();
    {
      const MapValue value = entry.read();
      if (!value && value.status() != Status::not_found) {
        throw Failure(exit_code(value.status()),
                      fmt::format("'{}': {}", excerpt(key, kShownBytes), to_string(value.status())));
      }
      if (value.version() != seen) value ? watch.show(key, value) : watch.show_gone(key);
      seen = value.version();
    }
    watch.flush();
    if (is_last_look) return watch.is_over();
    entry.wait_changed(seen, kStopSlice);
  }
  return true;
}

// A wait tells only that nothing came. No key is empty: reading it costs nothing, and says what is wrong.
void check_readable(const MapReader& reader) {
  const Status status = reader.read(std::string_view{}).status();
  if (status != Status::not_found) throw Failure(exit_code(status), std::string{to_string(status)});
}

bool watch_all(const MapReader& reader, Watch& watch) {
  std::map<std::string, std::uint64_t> known;
  while (!watch.is_over()) {
    const bool is_last_look = watch.nobody_writes_any_more();
    const std::uint64_t version = reader.version();
    std::map<std::string, std::uint64_t> there;
    const Status all = reader.for_each([&](std::string_view key, const MapValue& value) {
      const auto before = known.find(std::string{key});
      if (before == known.end() || before->second != value.version()) watch.show(key, value);
      there.emplace(key, value.version());
    });
    if (all != Status::ok) throw Failure(exit_code(all), std::string{to_string(all)});
    for (const auto& [key, before] : known) {
      if (!there.contains(key)) watch.show_gone(key);
    }
    known = std::move(there);
    watch.flush();
    if (is_last_look) return watch.is_over();
    while (!watch.is_over() && !watch.nobody_writes_any_more() && !reader.wait_changed(version, kStopSlice)) {
      check_readable(reader);
    }
  }
  return true;
}

int run(const MapWatchOptions& options) {
  const FacilityName name = parse_map_name(options.name);
  const Map map = Map::open(Segment::open(name.segment), name.name);
  const MapReader reader{map};
  Watch watch{map, options};
  if (options.key ? watch_key(reader, *options.key, watch) : watch_all(reader, watch)) return kDone;
  spdlog::error("{} was removed, and nobody is left in it to change it", options.name);
  return kNoSegment;
}

}  // namespace

void add_map_watch(CLI::App& map, Action& chosen) {
  auto options = std::make_shared<MapWatchOptions>();
  CLI::App* command = map.add_subcommand(
      "watch", "Show what there is, and then each change, as a line: version, key, value; version 0: it was removed");
  command->add_option("SEGMENT/MAP", options->name, "The segment, and the map's name in it")->required();
  command->add_option_function<std::string>(
      "KEY", [options](const std::string& key) { options->key = key; }, "This key only");
  add_count(
      *command, "--changes", "End behind so many lines; 0: never",
      [options](std::uint64_t value) { options->changes = value; }, "0", 0, UINT64_MAX);
  command->add_flag("--json", options->json,
                    "A JSON object a line, with the values in full (key_hex, value_hex where that is not UTF-8)");
  command->footer("Of changes that follow each other faster than they are read, the newest is shown.");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace sapbuf::tools
