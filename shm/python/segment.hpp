// Segments and streams, as Python has them.
#pragma once

#include <optional>
#include <string>

#include <pybind11/pybind11.h>
#include <sapbuf/segment.hpp>
#include <sapbuf/stream.hpp>

#include "text.hpp"

namespace sapbuf::python {

namespace py = pybind11;

// A segment until it is closed. What was made from it goes on.
class OpenSegment {
 public:
  explicit OpenSegment(Segment segment) : segment_(std::move(segment)) {}

  // Its own handle, so that another thread may close this one meanwhile. Throws Closed: with the interpreter's lock.
  Segment get() const;
  bool is_closed() const noexcept { return !segment_; }
  void close() noexcept { segment_.reset(); }

 private:
  std::optional<Segment> segment_;
};

// The stream that a writer or reader is to be made of: one, or the stream `main` of a segment. Throws TypeError.
Stream stream_of(py::handle segment_or_stream);

void bind_segment(py::module_& module);
void bind_stream(py::module_& module);

}  // namespace sapbuf::python
