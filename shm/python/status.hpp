// What a segment looks like from outside, as Python has it.
#pragma once

#include <string>

#include <pybind11/pybind11.h>
#include <sapbuf/inspect.hpp>

#include "text.hpp"

namespace sapbuf::python {

// What `sapbuf status --json` prints, as the dict that it is.
pybind11::object status_of(const Segment& segment, const std::string& stream, const InspectOptions& options);

}  // namespace sapbuf::python
