// Bytes of a segment that Python looks at where they stand, through the buffer protocol.
#pragma once

#include <cstddef>
#include <span>

#include <pybind11/pybind11.h>

#include "errors.hpp"

namespace sapbuf::python {

namespace py = pybind11;

// An object that exports its bytes to memoryviews, arrays and the like. Each of these keeps the object, so its bytes must
// stay where they are as long as is_exported(): whoever would take them away refuses. Guarded by the interpreter's lock.
class InPlace {
 public:
  InPlace() = default;
  InPlace(const InPlace&) = delete;
  InPlace& operator=(const InPlace&) = delete;
  virtual ~InPlace() = default;

  // Throws where they are not to be looked at (any more).
  virtual std::span<std::byte> bytes() const = 0;
  virtual bool is_writable() const noexcept { return false; }
  bool is_exported() const noexcept { return exports_ != 0; }
  // Throws StillExported: `what` cannot be done.
  void check_not_exported(const char* what) const;

  void begin_export() {
    ++exports_;
    exported();
  }
  void end_export() noexcept {
    --exports_;
    unexported();
  }

 protected:
  // For those whose bytes belong to something larger.
  virtual void exported() {}
  virtual void unexported() noexcept {}

 private:
  std::size_t exports_ = 0;
};

// Fills in the view. Throws, or sets Python's error and returns -1.
int export_bytes(InPlace& object, PyObject* self, Py_buffer* view, int flags);

// The T that a Python object is, which must be of T's class, or of one derived from it in Python. Throws TypeError for one
// that was not initialised.
template <typename T>
T& object_of(PyObject* self) {
  auto* const value = reinterpret_cast<py::detail::instance*>(self)->get_value_and_holder().template value_ptr<T>();
  if (value == nullptr) throw py::type_error("this object was made without its __init__()");
  return *value;
}

// What a slot of a type returns: what `call` does, or `failed` and Python's error.
template <typename Call>
auto in_slot(Call call, decltype(call()) failed) noexcept {
  try {
    return call();
  } catch (...) {
    set_error_to_caught();
    return failed;
  }
}

// For py::class_<T>: len(), and T's bytes through the buffer protocol. pybind11's own support copies a description for each
// view, and cannot tell when a view ends.
template <typename T>
py::custom_type_setup in_place() {
  struct Slots {
    static int get(PyObject* self, Py_buffer* view, int flags) {
      view->obj = nullptr;
      return in_slot([&] { return export_bytes(object_of<T>(self), self, view, flags); }, -1);
    }
    static void release(PyObject* self, Py_buffer*) { object_of<T>(self).end_export(); }
    static Py_ssize_t length(PyObject* self) {
      return in_slot([&] { return static_cast<Py_ssize_t>(object_of<T>(self).bytes().size()); }, -1);
    }
  };
  return py::custom_type_setup{[](PyHeapTypeObject* type) {
    type->as_buffer.bf_getbuffer = &Slots::get;
    type->as_buffer.bf_releasebuffer = &Slots::release;
    type->ht_type.tp_as_buffer = &type->as_buffer;
    type->as_sequence.sq_length = &Slots::length;
  }};
}

// The memoryview that a `with` block has of an object, and that ends with the block.
class BlockView {
 public:
  py::object begin(py::handle object);
  // False: something else looks at the object's bytes still.
  bool end();

 private:
  py::object weak_;  // a reference that keeps nothing; a strong one would be a cycle
};

// A bytes-like object of the caller's, which stays as it is as long as this lives. Throws TypeError, BufferError.
class Input {
 public:
  explicit Input(py::handle object);
  Input(Input&& other) noexcept : view_(other.view_) { other.view_.obj = nullptr; }
  Input& operator=(Input&&) = delete;
  ~Input() { PyBuffer_Release(&view_); }

  std::span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

inline py::bytes copy_of(std::span<const std::byte> bytes) {
  return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace sapbuf::python
