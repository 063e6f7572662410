// sapbuf rm: takes a stream's name away.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/exit_code.hpp"
#include "common/human.hpp"
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

// Throws if there is a reason to leave the segment alone. Whether one that cannot be read is in use nobody can tell:
// only
// --force takes it away.
void look_before_removing(const std::string& name) {
  const std::string live = list_live(inspect(name));
  if (live.empty()) return;
  throw Failure(kFailure, fmt::format("{} is in use by {}; stop them first, or use --force", name, live));
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
