#include "sapbuf/metrics_memory.hpp"

#include <algorithm>
#include <utility>

namespace sapbuf::tools {

void MetricsMemory::begin(const Snapshot& snapshot) {
  current_ = &segments_[snapshot.name];
  if (current_->created_ns != snapshot.created_ns) *current_ = Segment{};
  current_->created_ns = snapshot.created_ns;
  for (auto& [key, own] : current_->present) own.seen = false;
}

void MetricsMemory::see(const ParticipantSnapshot& participant, std::string_view figure, std::uint64_t value) {
  OwnValue& own = current_->present[{participant.slot, participant.incarnation, figure}];
  own.sum = {participant.facility, participant.name, participant.role, figure};
  own.value = std::max(own.value, value);
  own.seen = true;
}

void MetricsMemory::end() {
  for (auto at = current_->present.begin(); at != current_->present.end();) {
    if (at->second.seen) {
      ++at;
      continue;
    }
    current_->gone[at->second.sum] += at->second.value;
    at = current_->present.erase(at);
  }
}

std::vector<MetricsMemory::Sum> MetricsMemory::sums() const {
  std::map<NameKey, std::uint64_t> all = current_->gone;
  for (const auto& [key, own] : current_->present) all[own.sum] += own.value;
  std::vector<Sum> sums;
  for (const auto& [key, value] : all) {
    const auto& [facility, name, role, figure] = key;
    sums.push_back({.facility = facility, .name = name, .role = role, .figure = figure, .value = value});
  }
  return sums;
}

std::uint64_t MetricsMemory::at_least(std::string_view facility, std::string_view figure, std::uint64_t value) {
  std::uint64_t& last = current_->facilities[{std::string{facility}, figure}];
  return last = std::max(last, value);
}

}  // namespace sapbuf::tools
