#include "sapbuf/pool_spec.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/command_line.hpp"

namespace sapbuf::tools {

namespace {

constexpr const char* kOption = "--pool";
constexpr const char* kForm = "NAME:SIZE:COUNT[:MAX]";  // or NAME:MIN-MAX:ROOM[:MAX]

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw CLI::ValidationError(
      kOption, fmt::format("'{}' names no pool: {} ({} is wanted, such as frames:1MiB:64 or frames:1MiB:64:4096)", text,
                           why, kForm));
}

std::uint64_t count_of(const std::string& text, const std::string& part, const char* what) {
  const auto count = parse_count(part);
  if (!count || *count == 0) refuse(text, fmt::format("{} '{}' is not a whole number of 1 or more", what, part));
  return *count;
}

std::uint64_t room_of(const std::string& text, const std::string& part, const char* what) {
  const auto bytes = parse_size(part);
  if (!bytes || *bytes == 0) refuse(text, fmt::format("{} '{}' is not a size such as 16MiB", what, part));
  return *bytes;
}

void check_growth(const std::string& text, std::uint64_t least, std::uint64_t most) {
  if (most < least) refuse(text, fmt::format("it may grow to {}, and has {} at first", most, least));
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(':', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

PoolSpec parse(const std::string& text) {
  const std::vector<std::string> parts = parts_of(text);
  if (parts[0].empty()) refuse(text, "the name is missing");
  if (parts.size() < 2) refuse(text, "size and count are missing");
  if (parts.size() < 3) refuse(text, "the count is missing");
  if (parts.size() > 4) refuse(text, fmt::format("it has {} parts", parts.size()));
  const bool may_grow = parts.size() == 4;
  if (const auto range = parse_size_range(parts[1])) {
    const std::uint64_t bytes = room_of(text, parts[2], "its room");
    const std::uint64_t most = may_grow ? room_of(text, parts[3], "the most that it may grow to,") : bytes;
    check_growth(text, bytes, most);
    return {.name = parts[0], .options = PoolOptions::for_sizes(range->min_bytes, range->max_bytes, bytes, most)};
  }
  const auto size = parse_size(parts[1]);
  if (!size) refuse(text, fmt::format("the size '{}' is not one such as 4096, 64KiB or 1MiB", parts[1]));
  const std::uint64_t count = count_of(text, parts[2], "the count");
  const std::uint64_t most = may_grow ? count_of(text, parts[3], "the most that it may grow to,") : count;
  check_growth(text, count, most);
  return {.name = parts[0], .options = {.buffer_bytes = *size, .count = count, .max_count = most}};
}

}  // namespace

std::optional<SizeRange> parse_size_range(const std::string& text) noexcept {
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) return std::nullopt;
  const auto min = parse_size(std::string_view{text}.substr(0, dash));
  const auto max = parse_size(std::string_view{text}.substr(dash + 1));
  if (!min || !max || *max == 0) return std::nullopt;
  return SizeRange{*min, *max};
}

CLI::Option* add_pool_specs(CLI::App& app, std::vector<PoolSpec>& specs) {
  return app
      .add_option_function<std::vector<std::string>>(
          kOption,
          [&specs](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              PoolSpec spec = parse(text);
              if (std::any_of(specs.begin(), specs.end(), [&](const auto& other) { return other.name == spec.name; })) {
                refuse(text, fmt::format("another one is named '{}', too", spec.name));
              }
              specs.push_back(std::move(spec));
            }
          },
          "Make this pool in the segment: COUNT buffers of SIZE each at first, growing to MAX if given; or, as "
          "NAME:MIN-MAX:ROOM[:MAX], buffers of any size from MIN to MAX in so many bytes. Once for each pool. For more "
          "of "
          "a pool's options: sapbuf pool create")
      ->type_name(kForm)
      ->allow_extra_args(false);
}

}  // namespace sapbuf::tools
