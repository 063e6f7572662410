// sapbuf readers: the durable readers of a stream.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sapbuf/sapbuf.hpp>
#include <vector>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/durable_text.hpp"

namespace sapbuf::tools {

namespace {

struct ReadersLsOptions {
  std::string stream;  // as it was typed
  bool json = false;
};

struct ReadersRmOptions {
  std::string stream;
  std::string reader;
};

int list_readers(const ReadersLsOptions& options) {
  const Stream stream = open_stream(parse_stream_name(options.stream));
  const std::vector<DurableReaderInfo> readers = stream.durable_readers();
  // Who is attached may have been killed.
  const Snapshot snapshot = inspect(stream.segment(), {.lag = false});
  const std::vector<ParticipantSnapshot> participants = participants_of(snapshot, stream.name());
  if (options.json) {
    print(json_line(Json{{"schema_version", kSchemaVersion},
                         {"segment", stream.segment().name()},
                         {"stream", stream.name()},
                         {"durable_readers", durable_readers_json(readers, participants)}}));
  } else if (readers.empty()) {
    spdlog::info("{} has no durable readers, and room for {}", title_of(stream), stream.options().durable_readers);
  } else {
    print(durable_table(readers, participants));
  }
  return kDone;
}

int remove_reader(const ReadersRmOptions& options) {
  const Stream stream = open_stream(parse_stream_name(options.stream));
  if (!stream.remove_durable_reader(options.reader)) {
    throw Failure(kNoSegment, fmt::format("{} has no durable reader '{}' ('sapbuf readers ls {}' shows what there is)",
                                          title_of(stream), printable_name(options.reader), options.stream));
  }
  spdlog::info("removed the durable reader '{}' of {}", printable_name(options.reader), title_of(stream));
  return kDone;
}

void add_readers_ls(CLI::App& readers, Action& chosen) {
  auto options = std::make_shared<ReadersLsOptions>();
  CLI::App* command = readers.add_subcommand("ls", "List the durable readers of a stream, and how far behind they are");
  command->add_option("NAME", options->stream, "The stream: NAME or NAME/STREAM")->required();
  command->add_flag("--json", options->json, "One JSON object, for programs");
  command->callback([options, &chosen] { chosen = [options] { return list_readers(*options); }; });
}

void add_readers_rm(CLI::App& readers, Action& chosen) {
  auto options = std::make_shared<ReadersRmOptions>();
  CLI::App* command = readers.add_subcommand("rm", "Forget a durable reader that is away, and keep nothing for it");
  command->add_option("NAME", options->stream, "The stream: NAME or NAME/STREAM")->required();
  command->add_option("READER", options->reader, "The reader's name")->required();
  command->callback([options, &chosen] { chosen = [options] { return remove_reader(*options); }; });
}

}  // namespace

void add_readers(CLI::App& app, Action& chosen) {
  CLI::App* readers =
      app.add_subcommand("readers", "Durable readers, whose place stays in the stream: list and remove them");
  readers->require_subcommand(1);
  readers->footer("'sapbuf sub --durable --name READER' makes one, in a stream made with --durable-readers.");
  add_readers_ls(*readers, chosen);
  add_readers_rm(*readers, chosen);
}

}  // namespace sapbuf::tools
