#include "common/reference.hpp"

#include <fmt/format.h>

#include <sapbuf/version.hpp>
#include <string_view>

#include "common/output.hpp"

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
  print(text);
  return 0;
}

}  // namespace sapbuf::tools
