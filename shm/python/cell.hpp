// Cells, as Python has them.
#pragma once

#include <span>
#include <string>

#include <sapbuf/cell.hpp>

#include "participant.hpp"

namespace sapbuf::python {

class OpenCell final : public Participant {
 public:
  // `initial`: empty for zeroes.
  OpenCell(const Segment& segment, const std::string& name, std::size_t size, std::span<const std::byte> initial,
           bool reads_only, const std::string& participant);

  py::tuple load_versioned();
  py::bytes load();
  std::uint64_t store(const py::object& value);
  std::uint64_t update(const py::function& change);
  std::uint64_t version();
  bool wait_changed(std::uint64_t seen, const Deadline& deadline);
  std::size_t size() const noexcept { return cell_.size(); }
  std::uint32_t slot() const noexcept { return cell_.slot(); }

 private:
  void detach() noexcept override { cell_.close(); }

  UntypedCell cell_;
};

void bind_cell(py::module_& module);

}  // namespace sapbuf::python
