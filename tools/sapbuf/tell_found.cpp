#include "sapbuf/tell_found.hpp"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

namespace sapbuf::tools {

void tell_found(const std::string& title, const std::vector<std::string>& differences) {
  if (differences.empty()) {
    spdlog::info("{} exists already and stays as it is", title);
  } else {
    spdlog::warn("{} exists already and stays as it is, but differs from what was asked for: {}", title,
                 fmt::join(differences, "; "));
  }
}

}  // namespace sapbuf::tools
