// Which part of a segment a command line means: SEGMENT/NAME.
#pragma once

#include <string>
#include <string_view>

namespace sapbuf::tools {

struct FacilityName {
  std::string segment;
  std::string name;

  std::string text() const { return segment + '/' + name; }
};

// Throws Failure, which says that a `kind` is wanted ("map"), unless there is something on both sides of one slash.
FacilityName parse_facility_name(std::string_view text, std::string_view kind, std::string_view example);

inline FacilityName parse_pool_name(std::string_view text) { return parse_facility_name(text, "pool", "ticks/frames"); }
inline FacilityName parse_map_name(std::string_view text) { return parse_facility_name(text, "map", "ticks/config"); }
inline FacilityName parse_queue_name(std::string_view text) { return parse_facility_name(text, "queue", "work/jobs"); }

}  // namespace sapbuf::tools
