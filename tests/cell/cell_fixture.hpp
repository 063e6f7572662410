// A segment for one test of cells.
#pragma once

#include <sapbuf/sapbuf.hpp>

#include "cell/cell_core.hpp"
#include "support/child.hpp"

namespace sapbuf::test {

struct CellFixture {
  explicit CellFixture(std::uint32_t participants = 8, Fences fences = Fences::membarrier)
      : segment(Segment::create(name, {.participants = participants, .fences = fences, .main_stream = false})) {}

  std::shared_ptr<detail::CellCore> open_core(std::string_view cell = "value") const {
    return detail::open_as<detail::CellCore>(segment.core(), layout::FacilityKind::cell, cell);
  }

  TestName name;
  Segment segment;
};

}  // namespace sapbuf::test
