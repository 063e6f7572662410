// sapbuf rm: takes a segment's name away, or a stream out of a segment.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/in_use.hpp"

namespace sapbuf::tools {

namespace {

struct RmOptions {
  std::string name;
  bool force = false;
};

void remove_segment(const RmOptions& options) {
  // Whether one that cannot be read is in use nobody can tell: only --force takes it away.
  if (!options.force) {
    refuse_if_in_use(options.name, inspect(options.name).participants, "stop them first, or use --force");
  }
  if (!Segment::remove(options.name)) throw Failure(kNoSegment, fmt::format("there is no segment '{}'", options.name));
}

// Its memory goes back to the system, so it must not be in use: other than a segment's name, which --force takes away
// from those who stay with what they have.
void remove_stream(const StreamName& name, bool force) {
  const Segment segment = Segment::open(name.segment);
  if (!force) refuse_if_in_use(name.text(), participants_of(inspect(segment), name.stream), "stop them first");
  try {
    if (Stream::remove(segment, name.stream)) return;
  } catch (const Error& error) {
    if (error.errc() != Errc::busy || !force) throw;
    throw Failure(kFailure, fmt::format("{}; --force does not take a stream from those who use it", error.what()));
  }
  throw Failure(kNoSegment, fmt::format("segment '{}' has no stream '{}'", name.segment, name.stream));
}

int rm(const RmOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  name.whole_segment ? remove_segment(options) : remove_stream(name, options.force);
  spdlog::info("removed {}", options.name);
  return kDone;
}

}  // namespace

void add_rm(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RmOptions>();
  CLI::App* command =
      app.add_subcommand("rm", "Remove a segment that nobody uses (NAME), or a stream or pool in it (NAME/STREAM)");
  command
      ->add_option("NAME", options->name,
                   "NAME: the segment, with all that is in it; NAME/STREAM: that stream or pool alone")
      ->required();
  command->add_flag("--force", options->force,
                    "Remove a segment even if live participants are attached (they keep what they have until they "
                    "end), or if it cannot be read; a stream or pool that is in use stays all the same");
  command->callback([options, &chosen] { chosen = [options] { return rm(*options); }; });
}

}  // namespace sapbuf::tools
