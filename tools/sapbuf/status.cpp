// sapbuf status: one stream in full.
#include <spdlog/spdlog.h>

#include <memory>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/segment_file.hpp"
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
  const Snapshot snapshot = inspect(options.name, options.inspect);
  print(options.json ? json_line(to_json(snapshot)) : status_text(snapshot));
  if (const auto file = find_segment_file(options.name); file && file->regular) {
    const std::string problem = problem_with_mode(file->mode);
    if (!problem.empty()) {
      spdlog::warn("{}; to end that: chmod {:04o} {}", problem, without_readers_alone(file->mode),
                   shell_operand(segment_path(options.name)));
    }
  }
  return kDone;
}

}  // namespace

void add_status(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* command = app.add_subcommand("status", "Show a stream: slabs, participants, ledger, journal");
  command->add_option("NAME", options->name, "The stream's name")->required();
  command->add_flag("--json", options->json, "One JSON object, for programs");
  add_milliseconds(
      *command, "--hung-after",
      "Call a live participant hung when it holds something and made no progress for so long; 0: never",
      [options](std::chrono::milliseconds time) { options->inspect.hung_after = time; }, "5000");
  command->callback([options, &chosen] { chosen = [options] { return status(*options); }; });
}

}  // namespace sapbuf::tools
