// From a stream's options to its geometry and back, what differs between two sets of them, and how one is made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/layout/stream_geometry.hpp>
#include <sapbuf/stream.hpp>

#include "segment/directory.hpp"

namespace SAPBUF_DETAIL {

// At no place yet. Throws Error (invalid_argument) for options that cannot work.
layout::StreamGeometry geometry_of(const StreamOptions& options, std::uint32_t participants);
StreamOptions options_of(const layout::StreamGeometry& geometry);

// "slabs 2, not 8"; empty if a stream made with `asked` would be the same as the one that is there.
std::vector<std::string> differences(const StreamOptions& there, const StreamOptions& asked);
std::vector<std::string> differences(const SegmentOptions& there, const SegmentOptions& asked);

FacilityPlan plan_stream(std::string_view name, const StreamOptions& options, std::uint32_t participants);

}  // namespace SAPBUF_DETAIL
