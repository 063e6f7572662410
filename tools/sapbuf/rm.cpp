// sapbuf rm: takes a stream's name away.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/segment_file.hpp"
#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

namespace {

struct RmOptions {
  std::string name;
  bool force = false;
};

// "writer feed-a (pid 12), reader archiver (pid 34)"
std::string list_live(const Snapshot& snapshot) {
  std::string list;
  for (const ParticipantSnapshot& participant : snapshot.participants) {
    if (participant.state == Liveness::dead) continue;
    list += fmt::format("{}{} {} (pid {})", list.empty() ? "" : ", ", to_string(participant.role),
                        printable_name(participant.name), participant.pid);
  }
  return list;
}

// Throws if there is a reason to leave the segment alone.
void look_before_removing(const std::string& name) {
  try {
    const std::string live = list_live(inspect(name));
    if (!live.empty()) {
      throw Failure(kFailure, fmt::format("{} is in use by {}; stop them first, or use --force", name, live));
    }
  } catch (const Error& error) {
    // Nobody can tell whether such a segment is in use: only --force takes it away.
    const bool removable = error.errc() == Errc::corrupt || error.errc() == Errc::incompatible ||
                           (error.errc() == Errc::not_found && identify_segment(name));
    if (!removable) throw;
    throw Failure(exit_code(error.errc()), fmt::format("{}; --force removes it all the same", error.what()));
  }
}

int rm(const RmOptions& options) {
  if (!options.force) look_before_removing(options.name);
  if (!Segment::remove(options.name)) throw Failure(kNoSegment, fmt::format("there is no segment '{}'", options.name));
  spdlog::info("removed {}", options.name);
  return kDone;
}

}  // namespace

void add_rm(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RmOptions>();
  CLI::App* command = app.add_subcommand("rm", "Remove a stream that nobody uses");
  command->add_option("NAME", options->name, "The stream's name")->required();
  command->add_flag("--force", options->force,
                    "Remove it even if live participants are attached (they keep what they have until they end), or if "
                    "it cannot be read");
  command->callback([options, &chosen] { chosen = [options] { return rm(*options); }; });
}

}  // namespace sapbuf::tools
