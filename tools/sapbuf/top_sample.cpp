#include "sapbuf/top_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sapbuf/text.hpp>
#include <utility>

#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/stream_name.hpp"

namespace sapbuf::tools {

namespace {

std::uint64_t wall_clock_now_ns() {
  const std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(now.count());
}

std::uint64_t changes_of(const MapLedger& ledger) { return ledger.flipped + ledger.inserted + ledger.erased; }

double part_of(std::uint64_t used, std::uint64_t room) {
  return room == 0 ? 0 : std::min(1.0, static_cast<double>(used) / static_cast<double>(room));
}

double used_part(const StreamSnapshot& stream) {
  std::uint64_t used = 0;
  std::uint64_t capacity = 0;
  for (const SlabSnapshot& slab : stream.slabs) {
    used += slab.state == "free" ? 0 : slab.used_bytes;
    capacity += slab.capacity_bytes;
  }
  return part_of(used, capacity);
}

double used_part(const QueueSnapshot& queue) {
  std::uint64_t most = 0;  // a block is there until the last group is done with it
  for (const QueueGroupSnapshot& group : queue.groups) {
    most = std::max(most, group.queued + group.returned + group.held + group.dead);
  }
  return part_of(most, queue.options.slots);
}

double used_part(const PoolSnapshot& pool) {
  return part_of(as_counted(pool, pool.in_use + pool.shared, pool.in_use_bytes + pool.shared_bytes), pool.count);
}

std::optional<double> used_part(const FacilitySnapshot& facility) {
  if (facility.stream) return used_part(*facility.stream);
  if (facility.pool) return used_part(*facility.pool);
  if (facility.map) return part_of(facility.map->keys, facility.map->room);
  if (facility.queue) return used_part(*facility.queue);
  return std::nullopt;
}

// "2 w 3 r 1 dead"
std::string attached_text(const std::vector<ParticipantSnapshot>& participants) {
  const Attached attached = count_attached(participants);
  std::string text;
  const auto add = [&](std::uint64_t number, std::string_view what) {
    if (number != 0) text += fmt::format("{}{} {}", text.empty() ? "" : " ", number, what);
  };
  add(attached.writers, "w");
  add(attached.readers, "r");
  add(attached.users, "u");
  add(attached.dead, "dead");
  return text;
}

std::string who_text(const ParticipantSnapshot& participant) {
  const std::string state =
      participant.state == Liveness::alive ? "" : fmt::format(" {}", to_string(participant.state));
  return fmt::format("pid {}{}", participant.pid, state);
}

std::uint64_t operations_of(const ParticipantSnapshot& participant) {
  switch (participant.role) {
    case Role::writer:
      return participant.ledger.committed;
    case Role::reader:
      return participant.ledger.delivered;
    case Role::user:
      return participant.pool_ledger.acquired;
    case Role::editor:
      return changes_of(participant.map_ledger.value_or(MapLedger{}));
    case Role::producer:
      return participant.queue_ledger.pushed;
    case Role::consumer:
      return participant.queue_ledger.taken;
    default:
      return 0;
  }
}

bool counts_operations(Role role) {
  return role == Role::writer || role == Role::reader || role == Role::user || role == Role::editor ||
         role == Role::producer || role == Role::consumer;
}

}  // namespace

TopSample TopSampler::look() {
  const Clock::time_point now = Clock::now();
  seconds_ = std::chrono::duration<double>(now - looked_at_).count();
  now_.clear();
  TopSample sample;
  std::map<std::string, std::uint64_t> there;
  const std::uint64_t now_ns = wall_clock_now_ns();
  for (const std::string& name : wanted_.empty() ? Segment::list() : wanted_) {
    try {
      const Snapshot snapshot = inspect(name);
      there.emplace(name, snapshot.created_ns);
      add_segment(snapshot, sample);
    } catch (const Error& error) {
      if (error.errc() == Errc::not_found) continue;
      sample.unreadable.push_back(fmt::format("{}: {}", printable_name(name), printable(error.what())));
      const auto before = segments_before_.find(name);
      if (before != segments_before_.end()) there.insert(*before);  // it is not gone
    }
  }
  tell_changes(there, sample);
  before_.swap(now_);
  segments_before_ = std::move(there);
  has_looked_ = true;
  looked_at_ = now;
  looked_at_ns_ = now_ns;
  return sample;
}

void TopSampler::tell_changes(const std::map<std::string, std::uint64_t>& there, TopSample& sample) {
  if (!has_looked_) return;
  for (const auto& [name, made_ns] : segments_before_) {
    const auto found = there.find(name);
    if (found == there.end()) {
      sample.changes.push_back(fmt::format("{} was removed", printable_name(name)));
    } else if (found->second != made_ns) {
      sample.changes.push_back(fmt::format("{} was removed, and made anew", printable_name(name)));
    }
  }
  for (const auto& [name, made_ns] : there) {
    if (!segments_before_.contains(name)) sample.changes.push_back(fmt::format("{} was made", printable_name(name)));
  }
}

void TopSampler::add_segment(const Snapshot& snapshot, TopSample& sample) {
  memory_.begin(snapshot);
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    sample.facilities.push_back(facility_of(snapshot, facility));
  }
  memory_.end();
}

TopFacility TopSampler::facility_of(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  const std::vector<ParticipantSnapshot> participants = participants_of(snapshot, facility.info.name);
  TopFacility shown;
  TopFigures& figures = shown.figures;
  figures.name = printable(title_of(snapshot.name, facility.info.name));
  figures.kind = printable(facility.info.kind);
  figures.used = used_part(facility);
  figures.who = attached_text(participants);
  set_rates({snapshot.name, snapshot.created_ns, facility.info.name, facility.info.created_ns, 0, 0},
            facility.info.created_ns, lasting(snapshot, facility), facility.stream.has_value(), figures);
  const auto add = [&](const TopFigures& one) {
    figures.held_bytes += one.held_bytes;
    if (one.lag && one.lag->messages >= figures.lag.value_or(Lag{}).messages) figures.lag = one.lag;
    shown.participants.push_back(one);
  };
  for (const ParticipantSnapshot& participant : participants) add(participant_of(snapshot, facility, participant));
  if (facility.stream) {
    for (const DurableReaderInfo& reader : facility.stream->durable_readers) {
      if (!reader.slot) add(away_reader(reader));
    }
  }
  return shown;
}

TopFigures TopSampler::away_reader(const DurableReaderInfo& reader) {
  TopFigures figures;
  figures.name = printable_name(reader.name);
  figures.kind = to_string(Role::reader);
  figures.held_bytes = reader.kept_bytes;
  figures.lag = Lag{.messages = reader.behind_messages, .bytes = reader.behind_bytes};
  figures.who = "away";
  return figures;
}

TopFigures TopSampler::participant_of(const Snapshot& snapshot, const FacilitySnapshot& facility,
                                      const ParticipantSnapshot& participant) {
  TopFigures figures;
  figures.name = printable_name(participant.name);
  figures.kind = to_string(participant.role);
  figures.held_bytes = participant.held_bytes;
  figures.lag = participant.lag;
  figures.who = who_text(participant);
  if (counts_operations(participant.role)) {
    set_rates({snapshot.name, snapshot.created_ns, facility.info.name, facility.info.created_ns, participant.slot,
               participant.incarnation},
              participant.attached_ns, {operations_of(participant), participant.ledger.committed_bytes},
              participant.role == Role::writer, figures);
  }
  return figures;
}

// Of those who are there, and of those who were: no look at somebody who is just leaving lets them fall.
TopSampler::Counters TopSampler::lasting(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  Counters counters;
  if (facility.stream) {
    counters = {facility.stream->departed.committed, facility.stream->departed.committed_bytes};
    for (const ParticipantSnapshot& one : participants_of(snapshot, facility.info.name)) {
      counters.operations += one.ledger.committed;
      counters.bytes += one.ledger.committed_bytes;
    }
  } else if (facility.pool) {
    counters.operations = facility.pool->present.acquired + facility.pool->departed.acquired;
  } else if (facility.map) {
    counters.operations = changes_of(facility.map->present) + changes_of(facility.map->departed);
  } else if (facility.queue) {
    counters.operations = facility.queue->present.pushed + facility.queue->departed.pushed;
  } else if (facility.cell) {
    counters.operations = facility.cell->version;
  }
  // One of the same name that is made anew counts anew.
  const std::string key = fmt::format("{} {}", facility.info.created_ns, facility.info.name);
  return {memory_.at_least(key, "operations", counters.operations), memory_.at_least(key, "bytes", counters.bytes)};
}

// `since_ns`: when the counters began at zero.
void TopSampler::set_rates(const Who& who, std::uint64_t since_ns, const Counters& counters, bool has_bytes,
                           TopFigures& figures) {
  now_[who] = counters;
  const auto found = before_.find(who);
  if (!has_looked_ || (found == before_.end() && since_ns < looked_at_ns_)) return;
  const Counters before = found == before_.end() ? Counters{} : found->second;
  const auto rate = [&](std::uint64_t last, std::uint64_t value) {
    return static_cast<double>(value - std::min(last, value)) / std::max(seconds_, 1e-6);
  };
  figures.rate = rate(before.operations, counters.operations);
  if (has_bytes) figures.byte_rate = rate(before.bytes, counters.bytes);
}

}  // namespace sapbuf::tools
