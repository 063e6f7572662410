#include "recording/error.hpp"

#include <cerrno>
#include <system_error>

namespace sapbuf::recording {

RecordingError RecordingError::of_errno(const std::string& what) {
  const int error = errno;
  const Kind kind = error == EEXIST                                       ? Kind::exists
                    : error == EACCES || error == EPERM || error == EROFS ? Kind::permission
                                                                          : Kind::system;
  return {kind, what + ": " + std::generic_category().message(error)};
}

}  // namespace sapbuf::recording
