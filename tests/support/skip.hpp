// What the surroundings of a test forbid is not tried, and that is said.
#pragma once

#include <string>

namespace sapbuf::test {

// Says that the current case is skipped, and why; the case has to return. A program in which a case was skipped and
// none failed ends with 77, which ctest shows as skipped.
void skip(const std::string& reason);

// Whether a case has been skipped.
bool any_skipped();

}  // namespace sapbuf::test
