// From what the library answers and throws to the exceptions of the package's module _errors.
#pragma once

#include <string>

#include <pybind11/pybind11.h>
#include <sapbuf/error.hpp>
#include <sapbuf/status.hpp>

#include "text.hpp"

namespace sapbuf::python {

namespace py = pybind11;

// Throws the exception of that name. The interpreter's lock must be held, here and below.
[[noreturn]] void raise(const char* name, const std::string& text);
// What a status other than ok says. `what`: what was to be done, as in "cannot write".
[[noreturn]] void raise(Status status, const std::string& what);
inline void check(Status status, const std::string& what) {
  if (status != Status::ok) raise(status, what);
}
// In a catch block of a function that Python calls without pybind11 between: sets Python's error to what was caught.
void set_error_to_caught() noexcept;
// From here on sapbuf::Error comes out as the exception that belongs to its code.
void translate_errors();

}  // namespace sapbuf::python
