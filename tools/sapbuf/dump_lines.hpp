// What `sapbuf dump` writes: a line for each thing that a walk comes to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/output.hpp"
#include "sapbuf/facility_name.hpp"

namespace sapbuf::tools {

class DumpLines {
 public:
  // Behind `head`, unless that is empty.
  explicit DumpLines(std::string_view head) {
    if (!head.empty()) output_.line(head);
  }

  // With its newline. Ends the walk, by what it throws, once a signal came, or nobody reads the output any more.
  void add(std::string_view line);
  // Then says how many there were. What `walk` throws comes out, behind what was seen before.
  int run(const std::function<void()>& walk, std::string_view one, std::string_view several);

 private:
  Output output_;
  std::uint64_t lines_ = 0;
};

// In dump_map.cpp and queue_peek.cpp. Throw Error: not_found if there is no such map, or queue.
int dump_map(const FacilityName& name, bool json);
int dump_queue(const FacilityName& name, bool json);

}  // namespace sapbuf::tools
