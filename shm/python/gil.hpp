// The interpreter's lock, around calls that may wait.
#pragma once

#include <pybind11/pybind11.h>

#include "text.hpp"

namespace sapbuf::python {

namespace py = pybind11;

// Takes the lock again. A thread that comes back while the interpreter ends stays here for ever: CPython would unwind it
// through frames of C++ that let nothing through, which ends the process by SIGABRT.
void come_back(PyThreadState* thread) noexcept;

// Runs `call` without the lock: it must not touch anything of Python's.
template <typename Call>
auto without_gil(Call call) {
  struct Away {
    PyThreadState* thread = PyEval_SaveThread();
    Away() = default;
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;
    ~Away() { come_back(thread); }
  };
  const Away away;
  return call();
}

}  // namespace sapbuf::python
