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
#include "common/terminal.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/participant_filter.hpp"
#include "sapbuf/status_text.hpp"

namespace sapbuf::tools {

namespace {

struct StatusOptions {
  std::string name;
  bool json = false;
  InspectOptions inspect;
  ParticipantFilter participants;
};

// What people are shown of `found`, or of the whole segment where there is no such facility to be shown by itself.
std::string text_of(const Snapshot& snapshot, const FacilitySnapshot* found, const ParticipantFilter& filter) {
  if (found == nullptr) return segment_text(snapshot, filter);
  if (found->pool) return pool_text(snapshot, *found, filter);
  if (found->map) return map_text(snapshot, *found, filter);
  if (found->queue) return queue_text(snapshot, *found, filter);
  if (found->cell) return cell_text(snapshot, *found, filter);
  return stream_text(snapshot, found->info.name, filter);
}

int status(const StatusOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  Snapshot snapshot = inspect(name.segment, options.inspect);
  const FacilitySnapshot* const found = name.whole_segment ? nullptr : find_facility(snapshot, name.stream);
  const bool is_known = found != nullptr && (found->stream || found->pool || found->map || found->queue || found->cell);
  if (!name.whole_segment && !is_known) {
    throw Failure(kNoSegment,
                  fmt::format("segment '{}' has no stream '{}', nor anything else of that name ('sapbuf ls -l' "
                              "shows what there is)",
                              name.segment, name.stream));
  }
  if (options.json) {
    std::erase_if(snapshot.participants, [&](const auto& one) { return !options.participants.admits(one); });
    print(json_line(status_json(snapshot, name.stream)));
  } else {
    print(wrapped(text_of(snapshot, found, options.participants), output_width()));
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
  CLI::App* command = app.add_subcommand("status",
                                         "Show a segment, or a stream, pool, map, queue or cell of it: slabs, buffers, "
                                         "keys or blocks, participants, ledger, journal");
  command
      ->add_option("NAME", options->name,
                   "NAME: the segment, with its stream 'main' in full; NAME/STREAM: another stream, a pool, map, queue "
                   "or cell of it")
      ->required();
  command->add_flag("--json", options->json, "One JSON object, for programs");
  add_participant_filter(*command, options->participants);
  add_milliseconds(
      *command, "--hung-after",
      "Call a live participant hung when it holds something and made no progress for so long; 0: never",
      [options](std::chrono::milliseconds time) { options->inspect.hung_after = time; }, "5000");
  command->callback([options, &chosen] { chosen = [options] { return status(*options); }; });
}

}  // namespace sapbuf::tools
