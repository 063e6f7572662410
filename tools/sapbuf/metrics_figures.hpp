// What the metrics of a segment are.
#pragma once

#include <sapbuf/inspect.hpp>
#include <string>
#include <string_view>

#include "sapbuf/metrics_memory.hpp"
#include "sapbuf/metrics_page.hpp"

namespace sapbuf::tools {

// Figures of the segment, of each facility and of each participant. Those of a facility include whoever has left or died,
// as the segment keeps them; those of participants are added up over all that had the same name, as `memory` knows them.
void add_metrics(const Snapshot& snapshot, MetricsMemory& memory, MetricsPage& page);
// Of a segment that cannot be looked at.
void add_unreadable(std::string_view segment, MetricsPage& page);
// Of so many segments that are not on the page.
void add_hidden(std::uint64_t segments, MetricsPage& page);

}  // namespace sapbuf::tools
