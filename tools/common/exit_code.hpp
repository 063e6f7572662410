// What a tool's exit status says. Scripts rely on these numbers.
#pragma once

#include <functional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>
#include <string>

namespace sapbuf::tools {

enum ExitCode : int {
  kDone = 0,          // done, or healthy
  kFailure = 1,       // could not be done: a stream of that name exists, say
  kUsage = 2,         // an unknown option, or a value that cannot work
  kNoSegment = 3,     // no such segment, or none that this version can use, or not any more
  kPermission = 4,    // the system says no
  kProblemsLeft = 5,  // problems were found and are still there
};

// Ends a tool with a message for people.
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

ExitCode exit_code(Errc error) noexcept;
// Of a call that is made when everything was found and good: whoever truncates a segment may do so at any time.
ExitCode exit_code(Status status) noexcept;

// Runs a tool's main part: whatever it throws becomes one message and an exit status.
int run_and_report(const std::function<int()>& tool) noexcept;

}  // namespace sapbuf::tools
