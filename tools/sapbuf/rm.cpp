// sapbuf rm: takes a segment's name away, or a stream out of a segment.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

namespace {

struct RmOptions {
  std::string name;
  bool force = false;
};

// "writer feed-a (pid 12), reader archiver (pid 34)"
std::string list_live(const std::vector<ParticipantSnapshot>& participants) {
  std::string list;
  for (const ParticipantSnapshot& participant : participants) {
    if (participant.state == Liveness::dead) continue;
    list += fmt::format("{}{} {} (pid {}{})", list.empty() ? "" : ", ", to_string(participant.role),
                        printable_name(participant.name), participant.pid,
                        participant.facility == kMainStream ? "" : ", in " + printable_name(participant.facility));
  }
  return list;
}

// Throws if there is a reason to leave the segment alone. Whether one that cannot be read is in use nobody can tell:
// only --force takes it away.
void look_before_removing(const std::string& name) {
  const std::string live = list_live(inspect(name).participants);
  if (live.empty()) return;
  throw Failure(kFailure, fmt::format("{} is in use by {}; stop them first, or use --force", name, live));
}

void remove_segment(const RmOptions& options) {
  if (!options.force) look_before_removing(options.name);
  if (!Segment::remove(options.name)) throw Failure(kNoSegment, fmt::format("there is no segment '{}'", options.name));
}

// Its memory goes back to the system, so it must not be in use: other than a segment's name, which --force takes away
// from those who stay with what they have.
void remove_stream(const StreamName& name, bool force) {
  const Segment segment = Segment::open(name.segment);
  const std::string live = force ? "" : list_live(participants_of(inspect(segment), name.stream));
  if (!live.empty()) throw Failure(kFailure, fmt::format("{} is in use by {}; stop them first", name.text(), live));
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
