#include "common/command_line.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "common/exit_code.hpp"

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

// "0" to "63" for the power of two that a unit stands for.
std::optional<unsigned> shift_of(std::string unit) noexcept {
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::tolower(c); });
  if (unit.empty() || unit == "b") return 0;
  static constexpr std::array<std::pair<char, unsigned>, 4> kPrefixes{{{'k', 10}, {'m', 20}, {'g', 30}, {'t', 40}}};
  for (const auto& [letter, shift] : kPrefixes) {
    if (unit[0] != letter) continue;
    const std::string rest = unit.substr(1);
    if (rest.empty() || rest == "b" || rest == "ib") return shift;
  }
  return std::nullopt;
}

CLI::Option* add_text(CLI::App& app, const std::string& name, const std::string& description, const char* type,
                      const std::string& shown_default, std::function<void(const std::string&)> set) {
  CLI::Option* option = app.add_option_function<std::string>(name, std::move(set), description);
  option->type_name(type);
  if (!shown_default.empty()) option->default_str(shown_default);
  return option;
}

}  // namespace

std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::string command = app.get_name();
    const CLI::App* deepest = &app;
    while (!deepest->get_subcommands().empty()) {
      deepest = deepest->get_subcommands()[0];
      command += " " + deepest->get_name();
    }
    // CLI11 misses a command where it should say that it does not know this one.
    const std::vector<std::string> remaining = app.remaining(true);
    const bool unknown = !remaining.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr &&
                         deepest->get_require_subcommand_min() != 0;
    spdlog::error("{} (see {} --help)",
                  unknown ? fmt::format("'{}' is neither a command nor an option", remaining[0]) : error.what(),
                  command);
    return kUsage;
  }
}

std::optional<std::uint64_t> parse_count(std::string_view text) noexcept {
  return parse_whole<std::uint64_t>(text, 10);
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_count(text.substr(0, digits));
  const auto shift = shift_of(std::string{text.substr(digits)});
  if (!number || !shift || *number > UINT64_MAX >> *shift) return std::nullopt;
  return *number << *shift;
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
    if (!value) throw CLI::ValidationError(name, fmt::format("'{}' is not a size such as 4096, 64KiB or 1MiB", text));
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

}  // namespace sapbuf::tools
