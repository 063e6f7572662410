// The header page: copied, checked, and written once.
#pragma once

#include <functional>
#include <span>
#include <string>

#include <sapbuf/layout/header.hpp>

#include "platform/shared_file.hpp"
#include "segment/directory.hpp"

namespace SAPBUF_DETAIL {

// The header as the file or the memory has it; all zero where there is less than a header. Nothing in shared memory is
// looked at twice.
struct HeaderCopy {
  layout::SegmentHeader header{};
  std::uint64_t bytes = 0;  // of the file, or of the memory
};

namespace header {

void copy(const layout::SegmentHeader& from, layout::SegmentHeader& to) noexcept;
void read(const platform::SharedFile& file, HeaderCopy& copy);

// The parts of the header that creation has not reached yet are zero.
bool is_unfinished(const layout::SegmentHeader& header) noexcept;

// Everything that must hold before a byte behind the header is believed. Throws Error (incompatible, corrupt); `what`
// names the segment in its text.
void validate(const HeaderCopy& copy, const std::string& what);

// Where the plans' regions go, one behind all that the other may grow to; and where the last one ends.
std::vector<std::uint64_t> offsets_of(const layout::SegmentGeometry& geometry, std::span<const FacilityPlan> plans);
std::uint64_t end_of_regions(const layout::SegmentGeometry& geometry, std::span<const FacilityPlan> plans);

// Makes a segment of zeroed memory, which begins at `base`, with facilities as planned. `region` gives the address of
// the part of a region that is written, at an offset. The last store makes it a segment.
void initialise(std::byte* base, const layout::SegmentGeometry& geometry, std::span<const FacilityPlan> plans,
                const std::function<std::byte*(std::uint64_t offset, std::uint64_t bytes)>& region);

}  // namespace header

}  // namespace SAPBUF_DETAIL
