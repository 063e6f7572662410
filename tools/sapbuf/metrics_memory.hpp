// What has been seen of participants, so that counters by name never fall: the segment keeps one sum over all that have
// gone, without their names.
#pragma once

#include <cstdint>
#include <map>
#include <sapbuf/inspect.hpp>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sapbuf::tools {

// Of whoever leaves between two looks, what came behind the last look is in the facility's own counters only.
class MetricsMemory {
 public:
  // A look at a segment; one of that name that was made anew begins at zero.
  void begin(const Snapshot& snapshot);
  // What one participant's counter says: the sum over its name's, which never falls.
  void see(const ParticipantSnapshot& participant, std::string_view figure, std::uint64_t value);
  // Behind all of them. Forgets what belonged to one that has gone, but for the sum.
  void end();

  struct Sum {
    std::string facility;
    std::string name;
    Role role = Role::none;
    std::string_view figure;
    std::uint64_t value = 0;
  };
  // Of the segment that was looked at last.
  std::vector<Sum> sums() const;

  // A facility's counter, which a look that meets somebody on his way from the present to the departed may find too low.
  std::uint64_t at_least(std::string_view facility, std::string_view figure, std::uint64_t value);

 private:
  using NameKey = std::tuple<std::string, std::string, Role, std::string_view>;  // facility, name, role, figure
  using OwnKey = std::tuple<std::uint32_t, std::uint64_t, std::string_view>;     // slot, incarnation, figure
  struct OwnValue {
    NameKey sum;
    std::uint64_t value = 0;
    bool seen = false;
  };
  struct Segment {
    std::uint64_t created_ns = 0;
    std::map<NameKey, std::uint64_t> gone;
    std::map<OwnKey, OwnValue> present;
    std::map<std::pair<std::string, std::string_view>, std::uint64_t> facilities;
  };

  std::map<std::string, Segment> segments_;
  Segment* current_ = nullptr;
};

}  // namespace sapbuf::tools
