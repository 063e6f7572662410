#include "sapbuf/pool_spec.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/command_line.hpp"

namespace sapbuf::tools {

namespace {

constexpr const char* kOption = "--pool";
constexpr const char* kForm = "NAME:SIZE:COUNT[:MAX]";

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw CLI::ValidationError(
      kOption, fmt::format("'{}' names no pool: {} ({} is wanted, such as frames:1MiB:64 or frames:1MiB:64:4096)", text,
                           why, kForm));
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
  const auto size = parse_size(parts[1]);
  if (!size) refuse(text, fmt::format("the size '{}' is not one such as 4096, 64KiB or 1MiB", parts[1]));
  const auto count_at = [&](std::size_t part, const char* what) {
    const auto count = parse_count(parts[part]);
    if (!count || *count == 0) {
      refuse(text, fmt::format("{} '{}' is not a whole number of 1 or more", what, parts[part]));
    }
    return *count;
  };
  PoolSpec spec{.name = parts[0], .options = {.buffer_bytes = *size, .count = count_at(2, "the count")}};
  if (parts.size() == 3) return spec;
  spec.options.max_count = count_at(3, "the most that it may grow to,");
  if (spec.options.max_count < spec.options.count) {
    refuse(text, fmt::format("it may grow to {}, and has {} at first", spec.options.max_count, spec.options.count));
  }
  return spec;
}

}  // namespace

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
          "Make this pool in the segment: COUNT buffers of SIZE each at first, growing to MAX if given; once for each "
          "pool. For more of a pool's options: sapbuf pool create")
      ->type_name(kForm)
      ->allow_extra_args(false);
}

}  // namespace sapbuf::tools
