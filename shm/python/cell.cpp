#include "cell.hpp"

#include "bind_participant.hpp"
#include "in_place.hpp"
#include "segment.hpp"

namespace sapbuf::python {

OpenCell::OpenCell(const Segment& segment, const std::string& name, std::size_t size,
                   std::span<const std::byte> initial, bool reads_only, const std::string& participant)
    : Participant("Cell"), cell_([&] {
        const CellOptions options{.name = participant, .stop = &stop()};
        return reads_only ? UntypedCell::open_to_read(segment, name, size, options)
                          : UntypedCell::open_or_create(segment, name, size, initial, options);
      }()) {}

py::tuple OpenCell::load_versioned() {
  const Call call{*this};
  std::array<std::byte, layout::kMaxCellBytes> value;
  const std::uint64_t version = cell_.load(std::span{value}.first(cell_.size()));
  return py::make_tuple(py::bytes(reinterpret_cast<const char*>(value.data()), cell_.size()), version);
}

py::bytes OpenCell::load() { return load_versioned()[0]; }

std::uint64_t OpenCell::store(const py::object& value) {
  const Call call{*this};
  return cell_.store(Input{value}.bytes());
}

std::uint64_t OpenCell::update(const py::function& change) {
  const Call call{*this};
  return cell_.update([&](std::span<std::byte> value) {
    const Input changed{change(py::bytes(reinterpret_cast<const char*>(value.data()), value.size()))};
    if (changed.bytes().size() != value.size()) {
      throw Error(Errc::invalid_argument, "a value of " + std::to_string(changed.bytes().size()) +
                                              " bytes for a cell of " + std::to_string(value.size()));
    }
    std::memcpy(value.data(), changed.bytes().data(), value.size());
  });
}

std::uint64_t OpenCell::version() {
  const Call call{*this};
  return cell_.version();
}

bool OpenCell::wait_changed(std::uint64_t seen, const Deadline& deadline) {
  const Call call{*this};
  return wait_in_slices(
      deadline, [&](std::chrono::nanoseconds slice) { return cell_.wait_changed(seen, whole_milliseconds(slice)); });
}

void bind_cell(py::module_& module) {
  bind_participant<OpenCell>(
      module, "Cell",
      "A participant that replaces one small value, or reads it. Any number of them may store at once: nobody waits "
      "for "
      "anybody, and who loads gets one of the values that were stored, whole. One thread at a time may use it.\n\n"
      "size: of the value, 1 to 4096 bytes, the same for everybody. initial: what the cell is made with if it is not "
      "there; None: zeroes. read_only: NotFound if it is not there; storing raises PermissionDenied. participant: a "
      "name of this handle, for people.")
      .def(py::init([](const OpenSegment& segment, const std::string& name, std::size_t size, const py::object& initial,
                       bool read_only, const std::string& participant) {
             if (initial.is_none()) {
               return std::make_shared<OpenCell>(segment.get(), name, size, std::span<const std::byte>{}, read_only,
                                                 participant);
             }
             const Input first{initial};
             if (first.bytes().empty()) throw Error(Errc::invalid_argument, "a first value of no bytes");
             return std::make_shared<OpenCell>(segment.get(), name, size, first.bytes(), read_only, participant);
           }),
           py::arg("segment"), py::arg("name"), py::arg("size"), py::kw_only(), py::arg("initial") = py::none(),
           py::arg("read_only") = false, py::arg("participant") = "")
      .def_static(
          "remove",
          [](const OpenSegment& segment, const std::string& name) {
            return without_gil([&, its = segment.get()] { return UntypedCell::remove(its, name); });
          },
          py::arg("segment"), py::arg("name"),
          "Gives its memory back; False if there was none. Raises Busy while live participants use it.")
      .def("load", &OpenCell::load, "The newest value, as bytes. Makes no system call.")
      .def("load_versioned", &OpenCell::load_versioned,
           "The newest value, and how many there were before it: (bytes, int).")
      .def("store", &OpenCell::store, py::arg("value"), "Makes these bytes the newest value; its version.")
      .def("update", &OpenCell::update, py::arg("change"),
           "Makes change(old) the newest value, if no other one was stored meanwhile; otherwise it is called again. "
           "`change` must not use this cell; what it raises comes out, and nothing is stored. The value's version.")
      .def_property_readonly("version", &OpenCell::version, "Grows with each value.")
      .def_property_readonly("size", &OpenCell::size, "Of a value, in bytes.")
      .def(
          "wait_changed",
          [](OpenCell& cell, std::uint64_t seen, std::optional<double> timeout) {
            return cell.wait_changed(seen, Deadline::in(timeout));
          },
          py::arg("seen"), py::arg("timeout") = py::none(),
          "Waits until the version is another one than `seen`: True; False after `timeout` seconds.");
}

}  // namespace sapbuf::python
