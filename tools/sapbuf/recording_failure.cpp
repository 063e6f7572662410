#include "sapbuf/recording_failure.hpp"

#include <fmt/format.h>

#include "common/exit_code.hpp"
#include "recording/error.hpp"

namespace sapbuf::tools {

int with_recording_failures(const std::function<int()>& part, const std::string& if_exists) {
  using Kind = recording::RecordingError::Kind;
  try {
    return part();
  } catch (const recording::RecordingError& error) {
    switch (error.kind()) {
      case Kind::exists:
        throw Failure(kFailure, fmt::format("{} ({})", error.what(), if_exists));
      case Kind::permission:
        throw Failure(kPermission, error.what());
      case Kind::no_zstd:
        throw Failure(kUsage, error.what());
      default:
        throw Failure(kFailure, error.what());
    }
  }
}

}  // namespace sapbuf::tools
