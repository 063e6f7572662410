#include "common/command_line.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "common/closest_word.hpp"
#include "common/exit_code.hpp"
#include "common/output.hpp"
#include "common/reference.hpp"

namespace sapbuf::tools {

namespace {

// A year: far from where sums of milliseconds and clock readings overflow.
constexpr std::uint64_t kLongestMilliseconds = 365ull * 24 * 3600 * 1000;

template <class Number>
std::optional<Number> parse_whole(std::string_view text, int base) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// How many bytes a unit stands for.
std::optional<std::uint64_t> bytes_of_unit(std::string unit) {
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::tolower(c); });
  if (unit.empty() || unit == "b") return 1;
  const std::size_t power = std::string_view{"kmgt"}.find(unit[0]);
  const std::string rest = unit.substr(1);
  if (power == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "ib")) return std::nullopt;
  std::uint64_t bytes = 1;
  for (std::size_t step = 0; step <= power; ++step) bytes *= rest == "b" ? 1000 : 1024;
  return bytes;
}

CLI::Option* add_text(CLI::App& app, const std::string& name, const std::string& description, const char* type,
                      const std::string& shown_default, std::function<void(const std::string&)> set) {
  CLI::Option* option = app.add_option_function<std::string>(name, std::move(set), description);
  option->type_name(type);
  if (!shown_default.empty()) option->default_str(shown_default);
  return option;
}

// The command that the command line came to.
struct Reached {
  const CLI::App* app;
  std::string prefix;  // the names of those above it

  std::string name() const { return prefix.empty() ? app->get_name() : prefix + " " + app->get_name(); }
};

Reached reached_command(const CLI::App& app) {
  Reached reached{&app, {}};
  while (!reached.app->get_subcommands().empty()) {
    reached.prefix = reached.name();
    reached.app = reached.app->get_subcommands()[0];
  }
  return reached;
}

// What nobody knows: an option if there is one, for what stands behind it may have been its value.
std::string first_unknown(const std::vector<std::string>& remaining) {
  const auto option =
      std::find_if(remaining.begin(), remaining.end(), [](const std::string& word) { return word.starts_with('-'); });
  if (option != remaining.end()) return option->substr(0, option->find('='));
  return remaining.empty() ? std::string{} : remaining[0];
}

// "; did you mean 'status'?", or nothing.
std::string suggestion(const CLI::App& app, const std::string& unknown) {
  std::vector<std::string> known;
  if (unknown.starts_with('-')) {
    for (const CLI::Option* const option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
  }
  const std::optional<std::string> meant = closest_word(unknown, known);
  return meant ? fmt::format("; did you mean '{}'?", *meant) : "";
}

}  // namespace

std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv) {
  if (const auto printed = print_reference(app, argc, argv)) return printed;
  try {
    const bool has_commands = app.get_require_subcommand_min() != 0;
    if (has_commands && argc >= 2 && std::string_view{argv[1]} == "help") {  // help COMMAND: COMMAND --help
      std::vector<std::string> reversed{"--help"};
      for (int word = argc - 1; word >= 2; --word) reversed.emplace_back(argv[word]);
      app.parse(reversed);
    } else {
      app.parse(argc, argv);
    }
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    const Reached reached = reached_command(app);
    const std::vector<std::string> remaining = app.remaining(true);
    const bool is_answered = error.get_exit_code() == 0;  // --help, --version
    const bool is_helped = is_answered && dynamic_cast<const CLI::CallForVersion*>(&error) == nullptr;
    // CLI11 misses a command, or helps, where it should say that it does not know this one.
    const bool misses_command = reached.app->get_require_subcommand_min() != 0 &&
                                (is_helped || dynamic_cast<const CLI::RequiredError*>(&error) != nullptr);
    if (is_answered && !(misses_command && !remaining.empty() && !first_unknown(remaining).starts_with('-'))) {
      std::ostringstream answer;
      app.exit(error, answer);
      print(answer.str());
      return kDone;
    }
    if (misses_command && remaining.empty()) {
      fmt::print(stderr, "{}", reached.app->help(reached.prefix));
      return kUsage;
    }
    const std::string unknown = first_unknown(remaining);
    spdlog::error("{}{} (see {} --help)",
                  misses_command ? fmt::format("'{}' is neither a command nor an option", unknown) : error.what(),
                  suggestion(*reached.app, unknown), reached.name());
    return kUsage;
  }
}

std::optional<std::uint64_t> parse_count(std::string_view text) noexcept {
  return parse_whole<std::uint64_t>(text, 10);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_count(text.substr(0, digits));
  const auto unit = bytes_of_unit(std::string{text.substr(digits)});
  if (!number || !unit || *number > UINT64_MAX / *unit) return std::nullopt;
  return *number * *unit;
}

std::optional<unsigned> parse_mode(std::string_view text) noexcept {
  const auto mode = parse_whole<unsigned>(text, 8);
  if (!mode || *mode > 0777) return std::nullopt;
  return mode;
}

CLI::Option* add_count(CLI::App& app, const std::string& name, const std::string& description,
                       std::function<void(std::uint64_t)> set, const std::string& shown_default, std::uint64_t smallest,
                       std::uint64_t largest) {
  return add_text(app, name, description, "N", shown_default, [=](const std::string& text) {
    const auto value = parse_count(text);
    if (value && *value >= smallest && *value <= largest) return set(*value);
    throw CLI::ValidationError(name,
                               fmt::format("'{}' is not a whole number {}", text,
                                           largest == UINT64_MAX ? fmt::format("of {} or more", smallest)
                                                                 : fmt::format("from {} to {}", smallest, largest)));
  });
}

CLI::Option* add_size(CLI::App& app, const std::string& name, const std::string& description,
                      std::function<void(std::uint64_t)> set, const std::string& shown_default) {
  return add_text(app, name, description, "SIZE", shown_default, [=](const std::string& text) {
    const auto value = parse_size(text);
    if (!value)
      throw CLI::ValidationError(
          name, fmt::format("'{}' is not a size such as 4096, 64KiB (of 1024 bytes) or 64KB (of 1000)", text));
    set(*value);
  });
}

CLI::Option* add_milliseconds(CLI::App& app, const std::string& name, const std::string& description,
                              std::function<void(std::chrono::milliseconds)> set, const std::string& shown_default,
                              std::uint64_t smallest) {
  auto* option = add_count(
      app, name, description,
      [set = std::move(set)](std::uint64_t value) { set(std::chrono::milliseconds{static_cast<std::int64_t>(value)}); },
      shown_default, smallest, kLongestMilliseconds);
  option->type_name("MS");
  return option;
}

CLI::Option* add_words(CLI::App& app, const std::string& name, const std::string& description,
                       std::function<void(const std::string&)> set) {
  return app.add_option_function<std::string>(
      name,
      [name, set = std::move(set)](const std::string& text) {
        if (text.find_first_not_of(" \t\n\r") == std::string::npos) throw CLI::ValidationError(name, "it is empty");
        set(text);
      },
      description);
}

}  // namespace sapbuf::tools
