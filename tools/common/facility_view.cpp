#include "common/facility_view.hpp"

#include <algorithm>
#include <iterator>

namespace sapbuf::tools {

const FacilitySnapshot* find_facility(const Snapshot& snapshot, std::string_view name) noexcept {
  const auto found = std::find_if(snapshot.facilities.begin(), snapshot.facilities.end(),
                                  [&](const auto& facility) { return facility.info.name == name; });
  return found != snapshot.facilities.end() ? &*found : nullptr;
}

const FacilitySnapshot* find_stream(const Snapshot& snapshot, std::string_view name) noexcept {
  const FacilitySnapshot* const found = find_facility(snapshot, name);
  return found != nullptr && found->stream ? found : nullptr;
}

const FacilitySnapshot* find_pool(const Snapshot& snapshot, std::string_view name) noexcept {
  const FacilitySnapshot* const found = find_facility(snapshot, name);
  return found != nullptr && found->pool ? found : nullptr;
}

std::vector<ParticipantSnapshot> participants_of(const Snapshot& snapshot, std::string_view facility) {
  std::vector<ParticipantSnapshot> found;
  std::copy_if(snapshot.participants.begin(), snapshot.participants.end(), std::back_inserter(found),
               [&](const auto& participant) { return participant.facility == facility; });
  return found;
}

Attached count_attached(const std::vector<ParticipantSnapshot>& participants) noexcept {
  Attached attached;
  for (const ParticipantSnapshot& participant : participants) {
    if (participant.state == Liveness::dead) {
      ++attached.dead;
    } else if (participant.role == Role::writer) {
      ++attached.writers;
    } else if (participant.role == Role::user) {
      ++attached.users;
    } else {
      ++attached.readers;
    }
  }
  return attached;
}

}  // namespace sapbuf::tools
