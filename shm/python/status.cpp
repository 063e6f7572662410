#include "status.hpp"

#include <common/json.hpp>

#include "gil.hpp"

namespace sapbuf::python {

py::object status_of(const Segment& segment, const std::string& stream, const InspectOptions& options) {
  const std::string text =
      without_gil([&] { return tools::json_line(tools::status_json(inspect(segment, options), stream)); });
  return py::module_::import("json").attr("loads")(text);
}

}  // namespace sapbuf::python
