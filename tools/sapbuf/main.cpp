// sapbuf: makes, feeds, drains and looks at streams from the command line.
#include <spdlog/spdlog.h>

#include <sapbuf/version.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/log.hpp"
#include "common/stop.hpp"
#include "sapbuf/commands.hpp"

namespace {

constexpr const char* kFooter =
    "NAME means the stream 'main' of segment NAME, NAME/STREAM another stream of that segment.\n"
    "Data goes to standard output, messages to standard error. 'sapbuf help COMMAND' is 'sapbuf COMMAND --help'.\n"
    "SIZE: 64K and 64KiB are 64 x 1024 bytes, 64KB is 64 x 1000; so M, G and T.\n"
    "Exit status: 0 done, 1 failure, 2 usage, 3 no such segment or stream, or incompatible, 4 permission, 5 problems "
    "found and "
    "left.";

int run(int argc, char** argv) {
  using namespace sapbuf::tools;
  CLI::App app{"Streams in shared memory, between processes of which any may be killed at any moment.", "sapbuf"};
  app.set_version_flag("--version", std::string{"sapbuf "} + sapbuf::kVersion, "Print the version and exit");
  app.require_subcommand(1);
  app.footer(kFooter);
  Action chosen;
  add_create(app, chosen);
  add_pool(app, chosen);
  add_map(app, chosen);
  add_queue(app, chosen);
  add_rm(app, chosen);
  add_ls(app, chosen);
  add_pub(app, chosen);
  add_sub(app, chosen);
  add_readers(app, chosen);
  add_record(app, chosen);
  add_replay(app, chosen);
  add_status(app, chosen);
  add_dump(app, chosen);
  add_doctor(app, chosen);
  add_top(app, chosen);
  add_metrics_command(app, chosen);
  if (const auto over = parse_command_line(app, argc, argv)) return *over;
  catch_stop_signals();
  return chosen();
}

}  // namespace

int main(int argc, char** argv) {
  sapbuf::tools::set_up_log("sapbuf", sapbuf::tools::LogStyle::brief);
  return sapbuf::tools::run_and_report([&] { return run(argc, argv); });
}
