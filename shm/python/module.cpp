// The module sapbuf._sapbuf: what the package sapbuf is made of, in C++.
#include <pybind11/pybind11.h>
#include <sapbuf/version.hpp>

#include "cell.hpp"
#include "errors.hpp"
#include "map.hpp"
#include "pool.hpp"
#include "queue.hpp"
#include "reader.hpp"
#include "segment.hpp"
#include "waits.hpp"
#include "writer.hpp"

PYBIND11_MODULE(_sapbuf, module) {
  using namespace sapbuf::python;
  prepare_waits();
  translate_errors();
  module.attr("version") = sapbuf::kVersion;
  bind_segment(module);
  bind_stream(module);
  bind_pool(module);
  bind_writer(module);
  bind_reader(module);
  bind_map(module);
  bind_queue(module);
  bind_cell(module);
}
