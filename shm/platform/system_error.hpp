// From errno to Error.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include <sapbuf/error.hpp>

namespace sapbuf::platform {

inline Errc errc_of(int error) noexcept {
  switch (error) {
    case ENOENT:
      return Errc::not_found;
    case EEXIST:
      return Errc::exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::permission_denied;
    case ENOSPC:
    case EFBIG:
    case EDQUOT:
      return Errc::no_space;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Errc::resource_exhausted;
    case EINVAL:
    case ENAMETOOLONG:
      return Errc::invalid_argument;
    default:
      return Errc::system;
  }
}

[[noreturn]] inline void throw_system_error(int error, const std::string& what) {
  throw Error(errc_of(error), what + ": " + std::strerror(error));
}

}  // namespace sapbuf::platform
