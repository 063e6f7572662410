#include <sapbuf/layout/header.hpp>

namespace sapbuf::layout {

std::optional<std::string> problem_with(const SegmentGeometry& g) {
  if (g.participants < 1 || g.participants > kMaxParticipants) {
    return "the number of participants is " + std::to_string(g.participants) + "; it must be from 1 to " +
           std::to_string(kMaxParticipants);
  }
  if (static_cast<unsigned>(g.fences) > 1) return "the fence mode is neither membarrier nor full";
  return std::nullopt;
}

}  // namespace sapbuf::layout
