#include "common/reference.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <sapbuf/version.hpp>
#include <string_view>
#include <system_error>

namespace sapbuf::tools {

std::optional<int> print_reference(const CLI::App& app, int argc, char** argv) {
  if (argc != 3 || std::string_view{argv[1]} != "--reference") return std::nullopt;
  const std::string_view kind{argv[2]};
  const std::string tool = app.get_name();
  const std::vector<CommandView> commands = command_views(app);
  std::string text;
  if (kind == "man") {
    text = manual_page(tool, kVersion, commands);
  } else if (kind == "bash") {
    text = bash_completion(tool, commands);
  } else if (kind == "zsh") {
    text = zsh_completion(tool, commands);
  } else if (kind == "fish") {
    text = fish_completion(tool, commands);
  } else {
    return std::nullopt;
  }
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return 0;
  fmt::print(stderr, "{}: cannot write to standard output: {}\n", tool, std::generic_category().message(errno));
  return 1;
}

}  // namespace sapbuf::tools
