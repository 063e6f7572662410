#include <sapbuf/layout/cell_geometry.hpp>

namespace sapbuf::layout {

void write_choices(const CellGeometry& g, std::uint64_t (&choices)[kChoices]) noexcept { choices[0] = g.value_bytes; }

std::optional<CellGeometry> read_cell_choices(const std::uint64_t (&choices)[kChoices]) noexcept {
  if (choices[0] < 1 || choices[0] > kMaxCellBytes) return std::nullopt;
  for (std::size_t unknown = 1; unknown < kChoices; ++unknown) {
    if (choices[unknown] != 0) return std::nullopt;
  }
  CellGeometry g;
  g.value_bytes = choices[0];
  return g;
}

}  // namespace sapbuf::layout
