// sapbuf doctor: whether streams can work on this system, and what was left behind.
#include "sapbuf/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <memory>
#include <sapbuf/text.hpp>

#include "common/exit_code.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/terminal.hpp"
#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kNarrowestText = 30;

const char* word(Mark mark) {
  switch (mark) {
    case Mark::ok:
      return "ok";
    case Mark::warning:
      return "warn";
    case Mark::bad:
      return "bad";
  }
  return "";
}

std::vector<Finding> check_everything() {
  std::vector<Finding> findings{check_shared_memory(),  check_space(),      check_remove_ipc(),
                                check_liveness_locks(), check_membarrier(), check_watchdog()};
  for (auto* const check : {check_segments, check_left_behind}) {
    for (Finding& finding : check()) findings.push_back(std::move(finding));
  }
  return findings;
}

// `text` behind `before`. Lines that it goes on in stand below it, where that leaves them some width.
std::string hanging(const std::string& before, const std::string& text, std::size_t width) {
  if (width < before.size() + kNarrowestText) return wrapped(before + text, width);
  std::string lines = wrapped(text, width - before.size());
  lines.pop_back();
  return before + boost::algorithm::replace_all_copy(lines, "\n", "\n" + std::string(before.size(), ' ')) + '\n';
}

std::string for_people(const std::vector<Finding>& findings, std::size_t width) {
  std::size_t widest = 0;
  for (const Finding& finding : findings) widest = std::max(widest, finding.check.size());
  std::string text;
  for (const Finding& finding : findings) {
    text += hanging(fmt::format("[{:^4}]  {:<{}}  ", word(finding.mark), finding.check, widest),
                    printable(finding.text), width);
    if (finding.remedy.empty()) continue;
    text += hanging(std::string(widest + 10, ' '), "-> " + printable(finding.remedy), width);
  }
  return text;
}

Json to_json(const std::vector<Finding>& findings, bool healthy) {
  Json checks = Json::array();
  for (const Finding& finding : findings) {
    checks.push_back({{"check", finding.check},
                      {"state", word(finding.mark)},
                      {"finding", finding.text},
                      {"remedy", finding.remedy}});
  }
  return {{"schema_version", kSchemaVersion}, {"healthy", healthy}, {"checks", checks}};
}

int doctor(bool as_json) {
  const std::vector<Finding> findings = check_everything();
  const bool healthy =
      std::none_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.mark == Mark::bad; });
  print(as_json ? json_line(to_json(findings, healthy)) : for_people(findings, output_width()));
  return healthy ? kDone : kProblemsLeft;
}

}  // namespace

void add_doctor(CLI::App& app, Action& chosen) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("doctor", "Check this system and the segments on it, and say what to do");
  command->add_flag("--json", *as_json, "One JSON object, for programs");
  command->callback([as_json, &chosen] { chosen = [as_json] { return doctor(*as_json); }; });
}

}  // namespace sapbuf::tools
