#include "in_place.hpp"

namespace sapbuf::python {

void InPlace::check_not_exported(const char* what) const {
  if (!is_exported()) return;
  raise("StillExported", std::string{what} +
                             ": a memoryview, a slice of one or an array still looks at these bytes: let it go first "
                             "(del, memoryview.release()), or copy what you keep");
}

int export_bytes(InPlace& object, PyObject* self, Py_buffer* view, int flags) {
  const std::span<std::byte> bytes = object.bytes();
  const int readonly = object.is_writable() ? 0 : 1;
  if (PyBuffer_FillInfo(view, self, bytes.data(), static_cast<Py_ssize_t>(bytes.size()), readonly, flags) != 0)
    return -1;
  object.begin_export();
  return 0;
}

py::object BlockView::begin(py::handle object) {
  const auto view = py::reinterpret_steal<py::object>(PyMemoryView_FromObject(object.ptr()));
  if (!view) throw py::error_already_set();
  weak_ = py::reinterpret_steal<py::object>(PyWeakref_NewRef(view.ptr(), nullptr));
  if (!weak_) throw py::error_already_set();
  return view;
}

bool BlockView::end() {
  if (!weak_) return true;
  const py::object view = weak_();
  if (view.is_none()) return true;
  try {
    view.attr("release")();
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_BufferError)) throw;
    return false;
  }
  return true;
}

Input::Input(py::handle object) {
  if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
}

}  // namespace sapbuf::python
