// What Stream, Pool, Map and Queue have in common as Python has them: handles by name, made with options by keywords.
#pragma once

#include <string>
#include <string_view>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "gil.hpp"
#include "segment.hpp"

namespace sapbuf::python {

// An Options that Python makes with these keywords: its class must be bound with a constructor.
template <typename Options>
Options options_of(const py::kwargs& keywords) {
  return py::type::of<Options>()(**keywords).template cast<Options>();
}

// What pickle is to keep of a handle: `arguments` are its class, and what that opens it by.
inline py::tuple reopening(const py::tuple& arguments) {
  return py::make_tuple(py::module_::import("sapbuf._reopen").attr("reopen"), arguments);
}

template <typename T, typename Options>
py::class_<T> bind_facility(py::module_& module, const char* class_name, const char* doc) {
  return py::class_<T>(module, class_name, doc)
      .def_static(
          "create",
          [](const OpenSegment& segment, const std::string& name, const py::kwargs& keywords) {
            const auto options = options_of<Options>(keywords);
            return without_gil([&, its = segment.get()] { return T::create(its, name, options); });
          },
          py::arg("segment"), py::arg("name"), "Makes one. Raises Exists if the segment has something of that name.")
      .def_static(
          "open_or_create",
          [](const OpenSegment& segment, const std::string& name, const py::kwargs& keywords) {
            const auto options = options_of<Options>(keywords);
            return without_gil([&, its = segment.get()] { return T::open_or_create(its, name, options); });
          },
          py::arg("segment"), py::arg("name"),
          "The one that is there, as it was made; a new one otherwise. `created` says which.")
      .def_static(
          "open",
          [](const OpenSegment& segment, const std::string& name) {
            return without_gil([&, its = segment.get()] { return T::open(its, name); });
          },
          py::arg("segment"), py::arg("name"), "Raises NotFound.")
      .def_static(
          "remove",
          [](const OpenSegment& segment, const std::string& name) {
            return without_gil([&, its = segment.get()] { return T::remove(its, name); });
          },
          py::arg("segment"), py::arg("name"),
          "Gives its memory back; False if there was none. Raises Busy while live participants use it.")
      .def_property_readonly("name", [](const T& it) { return it.name(); })
      .def_property_readonly(
          "segment", [](const T& it) { return OpenSegment{it.segment()}; }, "The segment that it is in.")
      .def_property_readonly("created", &T::created, "Whether the call that gave this handle made it.")
      .def_property_readonly("is_current", &T::is_current, "False once it was removed, or its segment.")
      .def("__reduce__",
           [](const py::object& self) {
             return reopening(py::make_tuple(py::type::of(self), self.attr("segment"), self.attr("name")));
           })
      .def("__repr__", [class_name = std::string{class_name}](const T& it) {
        return "<sapbuf." + class_name + " " + it.segment().name() + "/" + it.name() + ">";
      });
}

}  // namespace sapbuf::python
