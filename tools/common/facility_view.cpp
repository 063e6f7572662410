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

const FacilitySnapshot* find_map(const Snapshot& snapshot, std::string_view name) noexcept {
  const FacilitySnapshot* const found = find_facility(snapshot, name);
  return found != nullptr && found->map ? found : nullptr;
}

const FacilitySnapshot* find_queue(const Snapshot& snapshot, std::string_view name) noexcept {
  const FacilitySnapshot* const found = find_facility(snapshot, name);
  return found != nullptr && found->queue ? found : nullptr;
}

const FacilitySnapshot* find_cell(const Snapshot& snapshot, std::string_view name) noexcept {
  const FacilitySnapshot* const found = find_facility(snapshot, name);
  return found != nullptr && found->cell ? found : nullptr;
}

std::vector<DurableReaderInfo> kept_for(const StreamSnapshot& stream) {
  std::vector<DurableReaderInfo> away;
  std::ranges::copy_if(stream.durable_readers, std::back_inserter(away),
                       [](const DurableReaderInfo& reader) { return !reader.slot && reader.kept_bytes != 0; });
  return away;
}

std::vector<DurableReaderInfo> kept_for(const Snapshot& snapshot) {
  std::vector<DurableReaderInfo> away;
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    if (facility.stream) std::ranges::copy(kept_for(*facility.stream), std::back_inserter(away));
  }
  return away;
}

const ParticipantSnapshot* find_killed(const DurableReaderInfo& reader,
                                       const std::vector<ParticipantSnapshot>& participants) noexcept {
  const auto found = std::ranges::find_if(participants, [&](const ParticipantSnapshot& one) {
    return reader.slot == one.slot && one.state == Liveness::dead;
  });
  return found == participants.end() ? nullptr : &*found;
}

std::vector<ParticipantSnapshot> participants_of(const Snapshot& snapshot, std::string_view facility) {
  std::vector<ParticipantSnapshot> found;
  std::copy_if(snapshot.participants.begin(), snapshot.participants.end(), std::back_inserter(found),
               [&](const auto& participant) { return participant.facility == facility; });
  return found;
}

std::uint64_t as_counted(const PoolSnapshot& pool, std::uint64_t buffers, std::uint64_t bytes) noexcept {
  if (pool.options.max_bytes == 0) return buffers;
  const std::uint64_t piece = std::max<std::uint64_t>(pool.options.piece_bytes(), 1);
  return bytes / piece + (bytes % piece == 0 ? 0 : 1);
}

std::uint64_t waiting_blocks(const QueueSnapshot& queue) noexcept {
  std::uint64_t blocks = 0;
  for (const QueueGroupSnapshot& group : queue.groups) blocks += group.queued + group.returned + group.held;
  return blocks;
}

std::uint64_t dead_letters(const QueueSnapshot& queue) noexcept {
  std::uint64_t letters = 0;
  for (const QueueGroupSnapshot& group : queue.groups) letters += group.dead;
  return letters;
}

Attached count_attached(const std::vector<ParticipantSnapshot>& participants) noexcept {
  Attached attached;
  for (const ParticipantSnapshot& participant : participants) {
    if (participant.state == Liveness::dead) {
      ++attached.dead;
    } else if (participant.role == Role::writer || participant.role == Role::editor ||
               participant.role == Role::producer) {
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
