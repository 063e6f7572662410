// sapbuf rm: takes a segment's name away, or a stream out of a segment.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/held_text.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/in_use.hpp"

namespace sapbuf::tools {

namespace {

struct RmOptions {
  std::string name;
  bool force = false;
};

void refuse_if_needed(const std::string& name, const Snapshot& snapshot) {
  refuse_if_in_use(name, snapshot.participants, "stop them first, or use --force");
  refuse_if_kept(name, kept_for(snapshot));
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    refuse_if_holds_blocks(title_of(name, facility.info.name), facility);
  }
}

// Nothing of one that cannot be read.
template <typename Named>
std::optional<Snapshot> look_if_readable(const Named& named) {
  try {
    return inspect(named, {.lag = false});
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Says what went with it.
std::string remove_segment(const RmOptions& options) {
  // Whether one that cannot be read is in use nobody can tell: only --force takes it away.
  const std::optional<Snapshot> snapshot = options.force ? look_if_readable(options.name) : inspect(options.name);
  if (!options.force) refuse_if_needed(options.name, *snapshot);
  const std::string held = snapshot ? held_text(*snapshot) : "";
  if (!Segment::remove(options.name)) throw Failure(kNoSegment, fmt::format("there is no segment '{}'", options.name));
  return held;
}

// What goes with a pool of its own takes that with it.
bool remove_from(const Segment& segment, const std::string& name) {
  const std::vector<FacilityInfo> all = segment.facilities();
  const auto found = std::ranges::find(all, name, &FacilityInfo::name);
  if (found != all.end() && found->kind == "map") return Map::remove(segment, name);
  if (found != all.end() && found->kind == "queue") return Queue::remove(segment, name);
  return Stream::remove(segment, name);
}

// Its memory goes back to the system, so it must not be in use: other than a segment's name, which --force takes away
// from those who stay with what they have.
std::string remove_stream(const StreamName& name, bool force) {
  const Segment segment = Segment::open(name.segment);
  const std::optional<Snapshot> snapshot = force ? look_if_readable(segment) : inspect(segment);
  const FacilitySnapshot* const found = snapshot ? find_facility(*snapshot, name.stream) : nullptr;
  if (!force) {
    refuse_if_in_use(name.text(), participants_of(*snapshot, name.stream), "stop them first");
    if (found != nullptr && found->stream) refuse_if_kept(name.text(), kept_for(*found->stream));
    if (found != nullptr) refuse_if_holds_blocks(name.text(), *found);
  }
  const std::string held = found != nullptr ? held_text(*found) : "";
  try {
    if (remove_from(segment, name.stream)) return held;
  } catch (const Error& error) {
    if (error.errc() != Errc::busy || !force) throw;
    throw Failure(kFailure, fmt::format("{}; --force does not take a stream from those who use it", error.what()));
  }
  throw Failure(kNoSegment, fmt::format("segment '{}' has no stream '{}'", name.segment, name.stream));
}

int rm(const RmOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  const std::string held = name.whole_segment ? remove_segment(options) : remove_stream(name, options.force);
  spdlog::info("removed {}{}", options.name, held.empty() ? "" : ", with " + held);
  return kDone;
}

}  // namespace

void add_rm(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RmOptions>();
  CLI::App* command = app.add_subcommand(
      "rm", "Remove a segment that nobody uses (NAME), or a stream, pool, map, queue or cell in it (NAME/STREAM)");
  command
      ->add_option(
          "NAME", options->name,
          "NAME: the segment, with all that is in it; NAME/STREAM: that stream, pool, map, queue or cell alone")
      ->required();
  command->add_flag("--force", options->force,
                    "Remove a segment even if live participants are attached (they keep what they have until they "
                    "end), or if it cannot be read; what is kept for durable readers that are away; and queues with "
                    "blocks or dead letters in them. What is in a "
                    "segment and in use stays all the same");
  command->callback([options, &chosen] { chosen = [options] { return rm(*options); }; });
}

}  // namespace sapbuf::tools
