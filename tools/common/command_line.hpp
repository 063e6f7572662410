// Options as the tools take them, on top of CLI11.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sapbuf::tools {

// Parses the command line. Nothing: go on. Otherwise the tool is over, with this exit status: help or version were
// printed to standard output; or to standard error, the help where a command is missing, and the reason where something is
// wrong, with what may have been meant.
std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv);

// Whole numbers without a sign, decimal; nothing if `text` is anything else or too large.
std::optional<std::uint64_t> parse_count(std::string_view text) noexcept;
// Bytes, with units as those of dd and truncate: 64KiB and 64K are 64 x 1024, 64KB is 64 x 1000; so M, G and T. Capitals
// make no difference.
std::optional<std::uint64_t> parse_size(std::string_view text);
// Permission bits, octal: "0640" or "640".
std::optional<unsigned> parse_mode(std::string_view text) noexcept;

// Options whose value goes to `set`; `shown_default` appears in the help.
CLI::Option* add_count(CLI::App& app, const std::string& name, const std::string& description,
                       std::function<void(std::uint64_t)> set, const std::string& shown_default = "",
                       std::uint64_t smallest = 0, std::uint64_t largest = UINT64_MAX);
CLI::Option* add_size(CLI::App& app, const std::string& name, const std::string& description,
                      std::function<void(std::uint64_t)> set, const std::string& shown_default = "");
CLI::Option* add_milliseconds(CLI::App& app, const std::string& name, const std::string& description,
                              std::function<void(std::chrono::milliseconds)> set, const std::string& shown_default = "",
                              std::uint64_t smallest = 0);

// A text that says something: an empty one, or one of blanks only, is a usage error.
CLI::Option* add_words(CLI::App& app, const std::string& name, const std::string& description,
                       std::function<void(const std::string&)> set);

// An option that takes one of a few words.
template <class Value>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Value& value,
                        const std::map<std::string, Value>& choices, const std::string& description,
                        const std::string& shown_default = "") {
  std::string words;
  for (const auto& choice : choices) words += (words.empty() ? "" : "|") + choice.first;
  CLI::Option* const option = app.add_option_function<std::string>(
      name,
      [&value, choices, name, words](const std::string& text) {
        const auto found = choices.find(text);
        if (found == choices.end()) {
          throw CLI::ValidationError(name, fmt::format("'{}' is none of {}", text, words));
        }
        value = found->second;
      },
      description);
  option->type_name(words);
  if (!shown_default.empty()) option->default_str(shown_default);
  return option;
}

}  // namespace sapbuf::tools
