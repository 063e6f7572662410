// What --if-absent says of something that was there.
#pragma once

#include <string>
#include <vector>

namespace sapbuf::tools {

void tell_found(const std::string& title, const std::vector<std::string>& differences);

}  // namespace sapbuf::tools
