#include "common/exit_code.hpp"

#include <spdlog/spdlog.h>

#include "common/process.hpp"

namespace sapbuf::tools {

ExitCode exit_code(Errc error) noexcept {
  switch (error) {
    case Errc::not_found:
    case Errc::incompatible:
    case Errc::corrupt:
      return kNoSegment;
    case Errc::permission_denied:
      return kPermission;
    case Errc::invalid_argument:
      return kUsage;
    default:
      return kFailure;
  }
}

ExitCode exit_code(Status status) noexcept { return status == Status::corrupt ? kNoSegment : kFailure; }

int run_and_report(const std::function<int()>& tool) noexcept {
  try {
    keep_standard_descriptors();
    survive_truncation();  // streams belong to others
    return tool();
  } catch (const Failure& failure) {
    spdlog::error(failure.what());
    return failure.code();
  } catch (const Error& error) {
    spdlog::error(error.what());
    return exit_code(error.errc());
  } catch (const std::exception& error) {
    spdlog::error(error.what());
    return kFailure;
  }
}

}  // namespace sapbuf::tools
