#include "gil.hpp"

#include <cxxabi.h>
#include <unistd.h>

namespace sapbuf::python {
namespace {

bool is_ending() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

[[noreturn]] void stay() noexcept {
  for (;;) ::pause();
}

}  // namespace

void come_back(PyThreadState* thread) noexcept {
  if (is_ending()) stay();
  try {
    PyEval_RestoreThread(thread);
  } catch (abi::__forced_unwind&) {  // the end began while this thread waited for the lock
    stay();
  }
}

}  // namespace sapbuf::python
