// sapbuf status: one stream in full, and what else is in its segment.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/segment_file.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/status_text.hpp"

namespace sapbuf::tools {

namespace {

struct StatusOptions {
  std::string name;
  bool json = false;
  InspectOptions inspect;
};

int status(const StatusOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  const Snapshot snapshot = inspect(name.segment, options.inspect);
  const FacilitySnapshot* const pool = name.whole_segment ? nullptr : find_pool(snapshot, name.stream);
  if (!name.whole_segment && pool == nullptr && find_stream(snapshot, name.stream) == nullptr) {
    throw Failure(kNoSegment, fmt::format("segment '{}' has no stream '{}' ('sapbuf ls -l' shows what there is)",
                                          name.segment, name.stream));
  }
  if (options.json) {
    print(json_line(status_json(snapshot, name.stream)));
  } else if (pool != nullptr) {
    print(pool_text(snapshot, *pool));
  } else {
    print(name.whole_segment ? segment_text(snapshot) : stream_text(snapshot, name.stream));
  }
  if (const auto file = find_segment_file(name.segment); file && file->regular) {
    const std::string problem = problem_with_mode(file->mode);
    if (!problem.empty()) {
      spdlog::warn("{}; to end that: chmod {:04o} {}", problem, without_readers_alone(file->mode),
                   shell_operand(segment_path(name.segment)));
    }
  }
  return kDone;
}

}  // namespace

void add_status(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* command = app.add_subcommand(
      "status", "Show a segment, or a stream or pool of it: slabs or buffers, participants, ledger, journal");
  command
      ->add_option("NAME", options->name,
                   "NAME: the segment, with its stream 'main' in full; NAME/STREAM: another stream, or a pool, of it")
      ->required();
  command->add_flag("--json", options->json, "One JSON object, for programs");
  add_milliseconds(
      *command, "--hung-after",
      "Call a live participant hung when it holds something and made no progress for so long; 0: never",
      [options](std::chrono::milliseconds time) { options->inspect.hung_after = time; }, "5000");
  command->callback([options, &chosen] { chosen = [options] { return status(*options); }; });
}

}  // namespace sapbuf::tools
