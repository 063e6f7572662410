#include "common/human.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <sapbuf/text.hpp>

namespace sapbuf::tools {

namespace {

// Three digits are enough for people: "9.87", "98.7", "987".
std::string three_digits(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

const char* noun_of(Role role) { return holds_buffers(role) ? "buffer" : "generation"; }

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const bool whole = bytes % (std::uint64_t{1} << (10 * unit)) == 0;
  return fmt::format("{} {}", whole ? fmt::format("{:.0f}", value) : three_digits(value), kUnits[unit]);
}

std::string human_count(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string human_rate(double per_second) {
  static constexpr std::array<std::string_view, 4> kUnits{"", " k", " M", " G"};
  std::size_t unit = 0;
  while (per_second >= 999.5 && unit + 1 < kUnits.size()) {
    per_second /= 1000;
    ++unit;
  }
  return (unit == 0 ? fmt::format("{:.0f}", per_second) : three_digits(per_second)) + std::string{kUnits[unit]};
}

std::string human_duration(std::chrono::nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (duration == std::chrono::nanoseconds::zero()) return "0 s";
  if (seconds < 0.9995e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 0.9995) return three_digits(seconds * 1e3) + " ms";
  if (seconds < 60) return three_digits(seconds) + " s";
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 48 * 3600) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} days", whole / (24 * 3600));
}

std::string human_time(std::uint64_t epoch_ns) {
  const std::time_t seconds = static_cast<std::time_t>(epoch_ns / 1'000'000'000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return fmt::format("{}.{:03}", text.data(), epoch_ns / 1'000'000 % 1000);
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", human_count(count), noun, count == 1 ? "" : "s");
}

bool holds_buffers(Role role) noexcept {
  return role == Role::user || role == Role::viewer || role == Role::editor || role == Role::producer ||
         role == Role::consumer;
}

std::string holdings(Role role, const std::vector<std::uint64_t>& numbers) {
  if (numbers.empty()) return "nothing";
  std::string text;
  for (std::size_t first = 0; first < numbers.size();) {
    std::size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ", ";
    text += std::to_string(numbers[first]);
    if (last != first) text += fmt::format("-{}", numbers[last]);
    first = last + 1;
  }
  return fmt::format("{}{} {}", noun_of(role), numbers.size() == 1 ? "" : "s", text);
}

std::string holdings(Role role, std::uint64_t first, std::uint64_t last) {
  if (first == 0) return "nothing";
  const char* const noun = noun_of(role);
  return first == last ? fmt::format("{} {}", noun, first) : fmt::format("{}s {}-{}", noun, first, last);
}

std::string holdings_in_bytes(Role role, std::uint64_t count, std::uint64_t bytes) {
  if (!holds_buffers(role) || count == 0) return "";
  return fmt::format(" ({}, {})", counted(count, noun_of(role)), human_bytes(bytes));
}

std::string printable_name(std::string_view name) { return name.empty() ? "(no name)" : printable(name); }

std::string holder_text(std::vector<LockHolder> holders) {
  if (holders.empty()) return "a process that this user cannot see";
  // Once, however many facilities' locks it has.
  std::stable_sort(holders.begin(), holders.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
  holders.erase(
      std::unique(holders.begin(), holders.end(), [](const auto& a, const auto& b) { return a.pid == b.pid; }),
      holders.end());
  return to_string(holders);
}

std::string excerpt(std::string_view bytes, std::size_t longest) {
  std::string text;
  for (const char byte : bytes) {
    // Byte by byte, so that nothing but ASCII is left; a backslash that stands there is doubled.
    const std::string piece = byte == '\\' ? "\\\\" : printable({&byte, 1});
    if (text.size() + piece.size() > longest) return text + "...";
    text += piece;
  }
  return text;
}

}  // namespace sapbuf::tools
