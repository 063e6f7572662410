// What the classes of all participants have in common in Python.
#pragma once

#include <memory>
#include <string>

#include <pybind11/pybind11.h>

#include "participant.hpp"

namespace sapbuf::python {

template <typename T, typename... Extra>
py::class_<T, std::shared_ptr<T>> bind_participant(py::module_& module, const char* class_name, const char* doc,
                                                   const Extra&... extra) {
  return py::class_<T, std::shared_ptr<T>>(module, class_name, doc, extra...)
      .def(
          "close", [](T& it) { it.close(); },
          "Detaches; a wait in another thread ends within milliseconds. What others are to keep stays.")
      .def_property_readonly("is_closed", [](const T& it) { return it.is_closed(); })
      .def_property_readonly(
          "slot", [](const T& it) { return it.slot(); }, "Its number in the segment's registry.")
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__",
           [](const py::object& self, const py::object& type, const py::args&) {
             const bool is_abandoned = !type.is_none() && py::hasattr(self, "abandon");
             self.attr(is_abandoned ? "abandon" : "close")();
           })
      .def("__reduce__", [class_name = std::string{class_name}](const T&) -> py::object {
        throw py::type_error("a " + class_name +
                             " is one participant's and cannot be pickled: send what it was made of, and "
                             "make one there");
      });
}

}  // namespace sapbuf::python
