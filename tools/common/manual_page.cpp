// Manual pages, in the macros of man(7).
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "common/reference.hpp"

namespace sapbuf::tools {

namespace {

// Text in which roff finds no command of its own, and copies hyphens as they are typed.
std::string roff_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool begins_line = escaped.empty() || escaped.back() == '\n';
    if (begins_line && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else if (c == '\'') {
      escaped += "\\(aq";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string bold(std::string_view text) { return fmt::format("\\fB{}\\fR", roff_text(text)); }
std::string italic(std::string_view text) { return fmt::format("\\fI{}\\fR", roff_text(text)); }

std::string roff_operand(const ArgumentView& operand) {
  const std::string name = italic(operand.names[0]) + (operand.repeated ? " ..." : "");
  return operand.required ? name : "[" + name + "]";
}

std::string roff_value(const ArgumentView& option) {
  if (option.kind != ValueKind::choice) return italic(option.type);
  std::string words;
  for (const std::string& choice : option.choices) words += (words.empty() ? "" : "|") + bold(choice);
  return words;
}

// `sapbuf pool create [OPTION ...] SEGMENT/POOL`
std::string roff_usage(const std::string& tool, const CommandView& command) {
  std::string line = bold(command.path.empty() ? tool : tool + " " + command.path);
  if (!command.options.empty()) line += " [" + italic("OPTION") + " ...]";
  for (const ArgumentView& operand : command.operands) line += " " + roff_operand(operand);
  if (!command.commands.empty()) line += " " + italic("COMMAND") + " [" + italic("ARGUMENT") + " ...]";
  return line;
}

std::string roff_arguments(const CommandView& command) {
  std::string text;
  for (const ArgumentView& operand : command.operands) {
    text += fmt::format(".TP\n{}\n{}\n", italic(operand.names[0]), roff_text(operand.description));
  }
  for (const ArgumentView& option : command.options) {
    const bool is_help = std::find(option.names.begin(), option.names.end(), "--help") != option.names.end();
    if (is_help && !command.path.empty()) continue;  // told once, of the tool
    std::string names;
    for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + bold(name);
    text += fmt::format(".TP\n{}{}{}\n{}\n", names, option.type.empty() ? "" : " ", roff_value(option),
                        roff_text(option.description));
    // A default path is one of the machine that this page was made on.
    if (option.kind != ValueKind::none && option.kind != ValueKind::file && !option.shown_default.empty()) {
      text += fmt::format("(default: {})\n", roff_text(option.shown_default));
    }
  }
  return text;
}

// Each line of its own, as in the help.
std::string roff_lines(std::string_view text) {
  std::string lines = roff_text(text);
  for (std::size_t end = 0; (end = lines.find('\n', end)) != std::string::npos; end += 5)
    lines.replace(end, 1, "\n.br\n");
  return lines;
}

// As the name of a page wants it: "streams in shared memory".
std::string without_capital(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string roff_command(const std::string& tool, const CommandView& command) {
  std::string text = fmt::format(".SS {} {}\n{}\n.PP\n{}.\n", roff_text(tool), roff_text(command.path),
                                 roff_usage(tool, command), roff_text(command.description));
  text += roff_arguments(command);
  if (!command.footer.empty()) text += fmt::format(".PP\n{}\n", roff_lines(command.footer));
  return text;
}

}  // namespace

std::string manual_page(const std::string& tool, const std::string& version, const std::vector<CommandView>& commands) {
  const CommandView& whole = commands.at(0);
  std::string title = tool;
  std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string text = fmt::format(".TH {} 1 \"\" \"sapbuf {}\" \"User Commands\"\n", roff_text(title), version);
  text += fmt::format(".SH NAME\n{} \\- {}\n", roff_text(tool), roff_text(without_capital(whole.description)));
  text += fmt::format(".SH SYNOPSIS\n{}\n", roff_usage(tool, whole));
  text += fmt::format(".SH DESCRIPTION\n{}\n", roff_text(whole.description));
  if (!whole.footer.empty()) text += fmt::format(".PP\n{}\n", roff_lines(whole.footer));
  text += ".SH OPTIONS\n" + roff_arguments(whole);
  if (commands.size() > 1) text += ".SH COMMANDS\n";
  for (std::size_t i = 1; i < commands.size(); ++i) text += roff_command(tool, commands[i]);
  return text;
}

}  // namespace sapbuf::tools
