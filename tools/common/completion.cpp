// Completions: functions in the shells' own languages, which find out the command from the words so far, and then know
// what may follow it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "common/reference.hpp"

namespace sapbuf::tools {

namespace {

// In single quotes, for bash, zsh and fish alike.
std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' || c == '\\' ? fmt::format("'\"{}\"'", c == '\\' ? "\\\\" : "'") : std::string{c};
  return quoted + "'";
}

// What fits beside a word: up to where the description goes into details.
std::string brief(const std::string& description) {
  return description.substr(0, std::min({description.find("; "), description.find(": "), description.find(" (")}));
}

// sapbuf-watchdog -> _sapbuf_watchdog
std::string function_name(std::string tool) {
  std::replace(tool.begin(), tool.end(), '-', '_');
  return "_" + tool;
}

std::string joined_names(const std::vector<ArgumentView>& options) {
  std::string all;
  for (const ArgumentView& option : options)
    all += fmt::format("{}{}", all.empty() ? "" : " ", fmt::join(option.names, " "));
  return all;
}

std::string joined_commands(const CommandView& command) {
  std::string all;
  for (const CommandName& below : command.commands) all += (all.empty() ? "" : " ") + below.name;
  return all;
}

bool takes(const CommandView& command, ValueKind kind) {
  return std::any_of(command.operands.begin(), command.operands.end(),
                     [kind](const ArgumentView& operand) { return operand.kind == kind; });
}

// `'pool create' | 'pool rm'`: all that are commands, as the words so far and the next one make them.
std::string command_patterns(const std::vector<CommandView>& commands, std::string_view separator) {
  std::string patterns;
  for (const CommandView& command : commands) {
    if (command.path.empty()) continue;
    const bool is_below = command.path.find(' ') != std::string::npos;
    patterns += (patterns.empty() ? "" : std::string{separator}) + shell_quoted((is_below ? "" : " ") + command.path);
  }
  return patterns;
}

// `'create --mode' | 'create -m'`: the command, and the option before the word to be completed.
std::string option_patterns(const CommandView& command, const ArgumentView& option) {
  std::string patterns;
  for (const std::string& name : option.names) {
    patterns += (patterns.empty() ? "" : " | ") + shell_quoted(command.path + " " + name);
  }
  return patterns;
}

// What stands for each kind of value in one shell's language.
struct ValueActions {
  std::string_view choices;  // {}: the words, quoted
  std::string_view files;
  std::string_view segments;
  std::string_view nothing;
};

std::string value_action(const ArgumentView& option, const ValueActions& actions) {
  switch (option.kind) {
    case ValueKind::choice:
      return fmt::format(fmt::runtime(actions.choices),
                         shell_quoted(fmt::format("{}", fmt::join(option.choices, " "))));
    case ValueKind::file:
      return std::string{actions.files};
    case ValueKind::segment:
      return std::string{actions.segments};
    default:
      return std::string{actions.nothing};
  }
}

// The branches of a `case`, in bash's and zsh's language, for a word behind an option that takes a value.
std::string value_branches(const std::vector<CommandView>& commands, const ValueActions& actions) {
  std::string branches;
  for (const CommandView& command : commands) {
    for (const ArgumentView& option : command.options) {
      if (option.kind == ValueKind::none) continue;
      branches +=
          fmt::format("    {}) {}; return ;;\n", option_patterns(command, option), value_action(option, actions));
    }
  }
  return branches;
}

// The same, which takes the words so far into `command`.
std::string command_branch(const std::vector<CommandView>& commands) {
  const std::string patterns = command_patterns(commands, " | ");
  if (patterns.empty()) return {};
  return fmt::format("    case \"$command $word\" in\n      {}) command=${{command:+$command }}$word ;;\n    esac\n",
                     patterns);
}

// Names of segments are other people's: `compgen -W` would run what stands in them.
constexpr std::string_view kBash = R"sh(# bash completion for {tool}                              -*- shell-script -*-
{function}_segments() {{
  local file name
  for file in /dev/shm/sapbuf.*; do
    name=${{file#/dev/shm/sapbuf.}}
    if [[ -e $file && $name == "$current"* ]]; then COMPREPLY+=("$(printf %q "$name")"); fi
  done
}}

{function}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} command='' commands='' options='' operands='' word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
{command_branch}    :
  done
  COMPREPLY=()
  case "$command ${{COMP_WORDS[COMP_CWORD-1]}}" in
{value_branches}  esac
  case $command in
{branches}  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
  if [[ $operands == *segment* ]]; then
    {function}_segments
  fi
  if [[ $operands == *file* ]]; then
    compopt -o filenames
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$current")
  fi
}} && complete -F {function} {tool}
)sh";

std::string operand_words(const CommandView& command) {
  return fmt::format("{}{}", takes(command, ValueKind::segment) ? "segment " : "",
                     takes(command, ValueKind::file) ? "file" : "");
}

std::string bash_branches(const std::vector<CommandView>& commands) {
  std::string branches;
  for (const CommandView& command : commands) {
    branches += fmt::format("    {}) commands={} options={} operands={} ;;\n", shell_quoted(command.path),
                            shell_quoted(joined_commands(command)), shell_quoted(joined_names(command.options)),
                            shell_quoted(operand_words(command)));
  }
  return branches;
}

constexpr std::string_view kZsh = R"sh(#compdef {tool}
{function}() {{
  local command='' word
  local -a commands options operands
  for word in "${{(@)words[2,CURRENT-1]}}"; do
{command_branch}    :
  done
  case "$command ${{words[CURRENT-1]}}" in
{value_branches}  esac
  case $command in
{branches}  esac
  if [[ ${{words[CURRENT]}} == -* ]]; then
    _describe -o option options
    return
  fi
  if (( $#commands )); then _describe command commands; fi
  if (( ${{operands[(I)segment]}} )); then compadd -- /dev/shm/sapbuf.*(N:t:s/sapbuf./) && return; fi
  if (( ${{operands[(I)file]}} )); then _files; fi
}}

{function} "$@"
)sh";

// `word:description`, as _describe wants it.
std::string zsh_described(std::string_view word, const std::string& description) {
  std::string escaped;
  for (const char c : word) escaped += c == ':' ? "\\:" : std::string{c};
  return shell_quoted(escaped + ":" + brief(description));
}

std::string zsh_branches(const std::vector<CommandView>& commands) {
  std::string branches;
  for (const CommandView& command : commands) {
    branches += fmt::format("    {})\n      commands=(", shell_quoted(command.path));
    for (const CommandName& below : command.commands) branches += " " + zsh_described(below.name, below.description);
    branches += " )\n      options=(";
    for (const ArgumentView& option : command.options) {
      for (const std::string& name : option.names) branches += " " + zsh_described(name, option.description);
    }
    branches += fmt::format(" )\n      operands=( {} ) ;;\n", operand_words(command));
  }
  return branches;
}

constexpr std::string_view kFish = R"sh(# fish completion for {tool}
function _{function}_command
    set -l command
    for word in (commandline -opc)[2..-1]
        switch "$command $word"
            case {patterns}
                set command (string trim -- "$command $word")
        end
    end
    test "$command" = "$argv[1]"
end
function _{function}_segments
    for file in /dev/shm/sapbuf.*
        string replace /dev/shm/sapbuf. '' $file
    end
end
complete -c {tool} -f
)sh";

std::string fish_names(const ArgumentView& option) {
  std::string all;
  for (const std::string& name : option.names) {
    all += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  return all;
}

std::string fish_lines(const std::string& tool, const CommandView& command) {
  const std::string begin = fmt::format(
      "complete -c {} -n {}", tool, shell_quoted(fmt::format("_{}_command \"{}\"", function_name(tool), command.path)));
  std::string lines;
  for (const CommandName& below : command.commands) {
    lines += fmt::format("{} -a {} -d {}\n", begin, below.name, shell_quoted(brief(below.description)));
  }
  if (takes(command, ValueKind::segment)) lines += fmt::format("{} -a '(_{}_segments)'\n", begin, function_name(tool));
  if (takes(command, ValueKind::file)) lines += begin + " -F\n";
  for (const ArgumentView& option : command.options) {
    static constexpr ValueActions kActions{" -x -a {}", " -r -F", " -x", " -x"};
    lines += fmt::format("{}{}{} -d {}\n", begin, fish_names(option),
                         option.kind == ValueKind::none ? "" : value_action(option, kActions),
                         shell_quoted(brief(option.description)));
  }
  return lines;
}

}  // namespace

std::string bash_completion(const std::string& tool, const std::vector<CommandView>& commands) {
  const std::string segments = function_name(tool) + "_segments";
  const ValueActions actions{R"sh(mapfile -t COMPREPLY < <(compgen -W {} -- "$current"))sh",
                             R"sh(compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"))sh",
                             segments, ":"};
  return fmt::format(fmt::runtime(kBash), fmt::arg("tool", tool), fmt::arg("function", function_name(tool)),
                     fmt::arg("command_branch", command_branch(commands)),
                     fmt::arg("value_branches", value_branches(commands, actions)),
                     fmt::arg("branches", bash_branches(commands)));
}

std::string zsh_completion(const std::string& tool, const std::vector<CommandView>& commands) {
  static constexpr ValueActions kActions{"compadd -- ${{(s: :)${{:-{}}}}}", "_files",
                                         "compadd -- /dev/shm/sapbuf.*(N:t:s/sapbuf./)", ":"};
  return fmt::format(fmt::runtime(kZsh), fmt::arg("tool", tool), fmt::arg("function", function_name(tool)),
                     fmt::arg("command_branch", command_branch(commands)),
                     fmt::arg("value_branches", value_branches(commands, kActions)),
                     fmt::arg("branches", zsh_branches(commands)));
}

std::string fish_completion(const std::string& tool, const std::vector<CommandView>& commands) {
  const std::string patterns = command_patterns(commands, " ");
  std::string text = fmt::format(fmt::runtime(kFish), fmt::arg("tool", tool), fmt::arg("function", function_name(tool)),
                                 fmt::arg("patterns", patterns.empty() ? "''" : patterns));
  for (const CommandView& command : commands) text += fish_lines(tool, command);
  return text;
}

}  // namespace sapbuf::tools
