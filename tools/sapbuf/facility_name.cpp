#include "sapbuf/facility_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "common/exit_code.hpp"

namespace sapbuf::tools {

FacilityName parse_facility_name(std::string_view text, std::string_view kind, std::string_view example) {
  const std::size_t slash = text.find('/');
  const bool one_slash = slash != std::string_view::npos && text.find('/', slash + 1) == std::string_view::npos;
  if (!one_slash || slash == 0 || slash + 1 == text.size()) {
    std::string upper{kind};
    std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
    throw Failure(kUsage,
                  fmt::format("'{}' names no {}: SEGMENT/{} is wanted, such as {}", text, kind, upper, example));
  }
  return {std::string{text.substr(0, slash)}, std::string{text.substr(slash + 1)}};
}

}  // namespace sapbuf::tools
