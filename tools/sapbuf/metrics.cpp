// sapbuf metrics: figures of segments for Prometheus, once or over HTTP.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/output.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/metrics_figures.hpp"
#include "sapbuf/metrics_server.hpp"

namespace sapbuf::tools {

namespace {

struct MetricsOptions {
  std::vector<std::string> segments;  // none: all
  std::string listen;
};

// One after the other; a segment that cannot be looked at is on the page as such. Of all that there are, those of others
// that this user may not open are counted only.
std::string metrics_page(const std::vector<std::string>& wanted, MetricsMemory& memory) {
  MetricsPage page;
  std::uint64_t hidden = 0;
  for (const std::string& name : wanted.empty() ? Segment::list() : wanted) {
    try {
      add_metrics(inspect(name), memory, page);
    } catch (const Error& error) {
      if (wanted.empty() && error.errc() == Errc::not_found) continue;  // removed meanwhile
      spdlog::debug("{}: {}", name, error.what());
      if (wanted.empty() && error.errc() == Errc::permission_denied) {
        ++hidden;
      } else {
        add_unreadable(name, page);
      }
    }
  }
  if (hidden != 0) add_hidden(hidden, page);
  return page.text();
}

int metrics(const MetricsOptions& options) {
  MetricsMemory memory;
  if (options.listen.empty()) {
    for (const std::string& name : options.segments) static_cast<void>(inspect(name));  // what is not there is an error
    print(metrics_page(options.segments, memory));
    return kDone;
  }
#ifdef SAPBUF_METRICS_SERVER
  serve_metrics(parse_listen_address(options.listen), [&] { return metrics_page(options.segments, memory); });
#endif
  return kDone;
}

}  // namespace

void add_metrics_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<MetricsOptions>();
  CLI::App* command = app.add_subcommand(
      "metrics", "Figures of segments in the text format of Prometheus: once to standard output, or over HTTP");
  command->add_option("SEGMENT", options->segments, "Which ones; without any, all that there are at the time");
#ifdef SAPBUF_METRICS_SERVER
  add_words(*command, "--listen",
            "Serve http://ADDRESS:PORT/metrics until stopped; port 0 takes one that is free, without an ADDRESS it "
            "is served on all. Without it counters by participant's name end with the participant",
            [options](const std::string& text) { options->listen = text; })
      ->type_name("ADDRESS:PORT");
#endif
  command->callback([options, &chosen] { chosen = [options] { return metrics(*options); }; });
}

}  // namespace sapbuf::tools
