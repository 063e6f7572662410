// sapbuf-watchdog: takes back what dead participants held, and tells of those that hang.
#include <fmt/format.h>

#include <sapbuf/text.hpp>
#include <sapbuf/version.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/log.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"
#include "sapbuf_watchdog/options.hpp"

namespace {

using namespace sapbuf::tools;

constexpr const char* kExitCodes =
    "Data goes to standard output, messages to standard error.\n"
    "Exit status: 0 healthy or everything taken back, 1 failure, 2 usage, 3 no such segment or incompatible,\n"
    "4 permission, 5 problems found and left.";

OnHung parse_on_hung(const std::string& text) {
  if (text == "report") return OnHung::report;
  if (text == "kill") return OnHung::kill;
  throw CLI::ValidationError("--on-hung", fmt::format("'{}' is none of report|kill", text));
}

void add_options(CLI::App& app, WatchdogOptions& options) {
  using std::chrono::milliseconds;
  auto* names = app.add_option(
      "NAME", options.names, "Segments to watch, each with all its streams; one that does not exist yet is waited for");
  app.add_flag("--all", options.all, "Watch every segment on this host, later ones too")->excludes(names);
  app.add_flag("--once", options.once, "Look once, take back what the dead held, and end");
  app.add_flag("--dry-run", options.dry_run, "Tell what would be taken back, but change nothing and kill nobody");
  add_milliseconds(
      app, "--interval", "How often to look for what no pidfd tells",
      [&options](milliseconds value) { options.interval = value; }, "100", 1);
  add_milliseconds(
      app, "--hung-after",
      "Call a live participant hung when it holds something and made no progress for so long; 0: never",
      [&options](milliseconds value) { options.hung_after = value; }, "0");
  app.add_option_function<std::string>(
         "--on-hung", [&options](const std::string& text) { options.on_hung = parse_on_hung(text); },
         "What to do with the hung: tell of them, or kill their processes (needs --hung-after)")
      ->type_name("report|kill")
      ->default_str("report");
  app.add_flag("--json", options.json,
               "With --once, one JSON object to standard output; otherwise one a line, whenever something happened");
}

void check(const WatchdogOptions& options) {
  if (options.names.empty() && !options.all) {
    throw Failure(kUsage, "name the segments to watch, or use --all (see sapbuf-watchdog --help)");
  }
  for (const std::string& text : options.names) {
    const StreamName name = parse_stream_name(text);
    if (name.whole_segment) continue;
    throw Failure(kUsage, fmt::format("{} is one stream: a watchdog looks after a segment with all that is in it, so "
                                      "name {}",
                                      text, sapbuf::shell_operand(name.segment)));
  }
  if (options.on_hung == OnHung::kill && options.hung_after.count() == 0) {
    throw Failure(kUsage, "--on-hung kill needs --hung-after: after how long without progress is a participant hung?");
  }
}

int run(int argc, char** argv) {
  WatchdogOptions options;
  CLI::App app{"Takes back what dead participants of streams held, and tells of those that hang.", "sapbuf-watchdog"};
  app.set_version_flag("--version", std::string{"sapbuf-watchdog "} + sapbuf::kVersion, "Print the version and exit");
  app.footer(kExitCodes);
  add_options(app, options);
  if (const auto over = parse_command_line(app, argc, argv)) return *over;
  check(options);
  catch_stop_signals();
  if (options.once) return run_once(options);
  set_up_log("sapbuf-watchdog", LogStyle::stamped);
  return run_daemon(options);
}

}  // namespace

int main(int argc, char** argv) {
  set_up_log("sapbuf-watchdog", LogStyle::brief);
  return run_and_report([&] { return run(argc, argv); });
}
