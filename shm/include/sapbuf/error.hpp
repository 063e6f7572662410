// What cold calls throw.
#pragma once

#include <string>
#include <system_error>

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

enum class Errc {
  not_found = 1,       // no segment of that name, or none in the memory supplied
  exists,              // something has that name already
  incompatible,        // not a sapbuf segment (or not even a file), or of another version or byte order
  corrupt,             // the bytes contradict themselves: truncated, or overwritten by something else
  permission_denied,   // the system says no
  no_space,            // /dev/shm, a limit on it, or the memory supplied is too small
  registry_full,       // every participant slot is taken by a live participant; or there are 64 facilities
  invalid_argument,    // a value that cannot work
  busy,                // a live process holds what is needed, and did not let go in time
  forked,              // the handle was inherited through fork and belongs to the parent
  unsupported,         // the kernel lacks something that the segment needs
  resource_exhausted,  // out of descriptors, mappings or memory
  system,              // any other failure of a system call
  declared_dead,       // others took this participant for dead, and took back what it held: it must not go on
};

const std::error_category& error_category() noexcept;
std::error_code make_error_code(Errc code) noexcept;

// Thrown by every call that is not on the hot path. `what()` says what went wrong, with which segment, and what to do
// about it, in one line of printable text (sapbuf/text.hpp), whatever stands in the names; `code()` is in the `sapbuf`
// category.
class Error : public std::system_error {
 public:
  Error(Errc code, const std::string& message);

  Errc errc() const noexcept { return static_cast<Errc>(code().value()); }
  // The message without the category's own text behind it.
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

SAPBUF_END

template <>
struct std::is_error_code_enum<sapbuf::Errc> : std::true_type {};
