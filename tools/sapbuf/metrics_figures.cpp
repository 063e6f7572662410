#include "sapbuf/metrics_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "common/facility_view.hpp"
#include "common/human.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::string_view kPrefix = "sapbuf_";

template <typename Of>
struct CounterFigure {
  std::string_view name;
  std::string_view help;
  std::uint64_t Of::*value;
};

constexpr CounterFigure<Ledger> kStreamCounters[] = {
    {"sapbuf_stream_committed_messages_total", "Messages that writers committed.", &Ledger::committed},
    {"sapbuf_stream_committed_bytes_total", "Payload of these messages.", &Ledger::committed_bytes},
    {"sapbuf_stream_aborted_messages_total", "Reservations that writers gave up.", &Ledger::aborted},
    {"sapbuf_stream_dropped_messages_total", "Messages that had no room.", &Ledger::dropped},
    {"sapbuf_stream_abandoned_messages_total", "Reservations that a writer died of.", &Ledger::abandoned},
    {"sapbuf_stream_delivered_messages_total", "Messages that readers had, each counted by each of them.",
     &Ledger::delivered},
    {"sapbuf_stream_lost_messages_total", "Messages that were overwritten before a reader had them.", &Ledger::lost},
    {"sapbuf_stream_skipped_messages_total", "Messages that readers passed over on purpose.", &Ledger::skipped},
};

constexpr CounterFigure<PoolLedger> kPoolCounters[] = {
    {"sapbuf_pool_acquired_buffers_total", "Buffers that were acquired.", &PoolLedger::acquired},
    {"sapbuf_pool_hits_total", "Of these, those that a user had at hand.", &PoolLedger::hits},
    {"sapbuf_pool_adopted_buffers_total", "Buffers that were taken over from others.", &PoolLedger::adopted},
    {"sapbuf_pool_released_buffers_total", "Buffers that users let go of.", &PoolLedger::released},
    {"sapbuf_pool_reclaimed_buffers_total", "Buffers that were taken back from the dead.", &PoolLedger::reclaimed},
    {"sapbuf_pool_refills_total", "Times that a user had no buffer at hand.", &PoolLedger::refills},
    {"sapbuf_pool_stolen_buffers_total", "Buffers that were taken from what others had at hand.", &PoolLedger::stolen},
    {"sapbuf_pool_waits_total", "Times that a user waited for a buffer.", &PoolLedger::waits},
};

constexpr CounterFigure<MapLedger> kMapCounters[] = {
    {"sapbuf_map_flipped_values_total", "Values that keys had before.", &MapLedger::flipped},
    {"sapbuf_map_inserted_keys_total", "Keys that were inserted.", &MapLedger::inserted},
    {"sapbuf_map_erased_keys_total", "Keys that were erased.", &MapLedger::erased},
    {"sapbuf_map_waits_total", "Times that a writer waited for another one of the same key.", &MapLedger::waits},
};

constexpr CounterFigure<QueueLedger> kQueueCounters[] = {
    {"sapbuf_queue_pushed_blocks_total", "Blocks that producers handed over.", &QueueLedger::pushed},
    {"sapbuf_queue_dropped_blocks_total", "Blocks that had no room.", &QueueLedger::dropped},
    {"sapbuf_queue_taken_blocks_total", "Blocks that consumers took, each time.", &QueueLedger::taken},
    {"sapbuf_queue_redelivered_blocks_total", "Of these, those that had been taken before.", &QueueLedger::redelivered},
    {"sapbuf_queue_ended_blocks_total", "Blocks that left the queue.", &QueueLedger::ended},
    {"sapbuf_queue_put_back_blocks_total", "Blocks that were put back, also from the dead.", &QueueLedger::put_back},
    {"sapbuf_queue_passed_blocks_total", "Blocks that were passed on to other queues.", &QueueLedger::passed},
    {"sapbuf_queue_dead_letters_total", "Blocks that were given up.", &QueueLedger::dead_letters},
    {"sapbuf_queue_waits_total", "Times that a producer waited for room.", &QueueLedger::waits},
};

const std::map<std::string_view, std::string_view>& helps() {
  static const std::map<std::string_view, std::string_view> all = [] {
    std::map<std::string_view, std::string_view> map;
    const auto add = [&](const auto& figures) {
      for (const auto& figure : figures) map.emplace(figure.name, figure.help);
    };
    add(kStreamCounters);
    add(kPoolCounters);
    add(kMapCounters);
    add(kQueueCounters);
    return map;
  }();
  return all;
}

// One segment's figures, on their way to the page.
class SegmentMetrics {
 public:
  SegmentMetrics(const Snapshot& snapshot, MetricsMemory& memory, MetricsPage& page)
      : snapshot_(snapshot), memory_(memory), page_(page), segment_(printable_name(snapshot.name)) {}

  void add() {
    page_.gauge("sapbuf_segment_readable", "1 if the segment can be looked at.", {{"segment", segment_}}, 1);
    page_.gauge("sapbuf_segment_bytes", "Size of the segment.", {{"segment", segment_}},
                static_cast<double>(snapshot_.bytes));
    memory_.begin(snapshot_);
    for (const FacilitySnapshot& facility : snapshot_.facilities) add_facility(facility);
    for (const ParticipantSnapshot& participant : snapshot_.participants) add_participant(participant);
    memory_.end();
    add_sums();
  }

 private:
  // All participants of one name and role that are there.
  struct ByName {
    std::uint64_t held_bytes = 0;
    std::optional<std::uint64_t> lag;  // messages
    std::uint64_t lag_bytes = 0;
  };

  MetricLabels labels(std::string_view facility) const {
    return {{"segment", segment_}, {"facility", printable_name(facility)}};
  }
  MetricLabels labels(std::string_view facility, std::string_view name, std::string value) const {
    MetricLabels all = labels(facility);
    all.emplace_back(name, std::move(value));
    return all;
  }

  void count(std::string_view facility, std::string_view name, std::string_view help, std::uint64_t value) {
    page_.counter(name, help, labels(facility), memory_.at_least(facility, name, value));
  }

  // Of whoever is there, and of whoever was.
  template <typename Ledger, std::size_t n>
  void count_all(std::string_view facility, const CounterFigure<Ledger> (&figures)[n], const Ledger& present,
                 const Ledger& departed) {
    for (const CounterFigure<Ledger>& figure : figures) {
      count(facility, figure.name, figure.help, present.*figure.value + departed.*figure.value);
    }
  }

  void add_facility(const FacilitySnapshot& facility) {
    const std::string& name = facility.info.name;
    page_.gauge("sapbuf_facility_bytes", "Size of the facility's region.",
                labels(name, "kind", printable(facility.info.kind)), static_cast<double>(facility.info.bytes));
    count(name, "sapbuf_recoveries_total", "Participants whose things were taken back.", facility.recoveries);
    count(name, "sapbuf_recovered_total", "Slabs or buffers that the dead had kept from others.", facility.released);
    add_roles(name);
    if (facility.stream) add_stream(name, *facility.stream);
    if (facility.pool) add_pool(name, *facility.pool);
    if (facility.map) add_map(name, *facility.map);
    if (facility.queue) add_queue(name, *facility.queue);
    if (facility.cell) {
      count(name, "sapbuf_cell_stored_values_total", "Values that were stored.", facility.cell->version);
    }
  }

  void add_roles(const std::string& facility) {
    std::map<std::pair<Role, Liveness>, std::uint64_t> present;
    for (const ParticipantSnapshot& one : participants_of(snapshot_, facility)) ++present[{one.role, one.state}];
    for (const auto& [who, number] : present) {
      MetricLabels all = labels(facility, "role", std::string{to_string(who.first)});
      all.emplace_back("state", to_string(who.second));
      page_.gauge("sapbuf_participants", "Participants that are there.", all, static_cast<double>(number));
    }
  }

  void add_stream(const std::string& name, const StreamSnapshot& stream) {
    const std::vector<ParticipantSnapshot> participants = participants_of(snapshot_, name);
    Ledger present;
    for (const ParticipantSnapshot& one : participants) {
      for (const CounterFigure<Ledger>& figure : kStreamCounters) present.*figure.value += one.ledger.*figure.value;
    }
    count_all(name, kStreamCounters, present, stream.departed);
    count(name, "sapbuf_stream_generation_total", "Slabs that were begun.", stream.generation);
    std::map<std::string, std::uint64_t> states;
    for (const SlabSnapshot& slab : stream.slabs) ++states[slab.state];
    for (const auto& [state, number] : states) {
      page_.gauge("sapbuf_stream_slabs", "Slabs by state.", labels(name, "state", state), static_cast<double>(number));
    }
    for (const DurableReaderInfo& reader : stream.durable_readers) {
      add_durable_reader(name, reader, find_killed(reader, participants));
    }
  }

  void add_durable_reader(const std::string& name, const DurableReaderInfo& reader, const ParticipantSnapshot* killed) {
    const MetricLabels who = labels(name, "reader", printable_name(reader.name));
    page_.gauge("sapbuf_durable_reader_away", "1 while no reader of that name is attached, or it was killed.", who,
                reader.slot && killed == nullptr ? 0 : 1);
    page_.gauge("sapbuf_durable_reader_kept_bytes", "Slabs that are kept for it while it is away.", who,
                static_cast<double>(killed != nullptr ? killed->held_bytes : reader.kept_bytes));
    page_.gauge("sapbuf_durable_reader_lag_messages", "Messages that it has still to come to.", who,
                static_cast<double>(reader.behind_messages));
    page_.gauge("sapbuf_durable_reader_lag_bytes", "Payload of these messages.", who,
                static_cast<double>(reader.behind_bytes));
  }

  void add_pool(const std::string& name, const PoolSnapshot& pool) {
    count_all(name, kPoolCounters, pool.present, pool.departed);
    count(name, "sapbuf_pool_grown_buffers_total",
          "Buffers, with size classes pieces of the smallest size, that there are more than at first.", pool.grown);
    const std::pair<const char*, std::uint64_t> states[] = {
        {"in_use", as_counted(pool, pool.in_use, pool.in_use_bytes)},
        {"cached", as_counted(pool, pool.cached, pool.cached_bytes)},
        {"shared", as_counted(pool, pool.shared, pool.shared_bytes)},
        {"free", pool.free}};
    for (const auto& [state, number] : states) {
      page_.gauge("sapbuf_pool_buffers", "Buffers, with size classes pieces of the smallest size, by state.",
                  labels(name, "state", state), static_cast<double>(number));
    }
    page_.gauge("sapbuf_pool_unbacked_buffers", "Of those in state free, those whose memory is the system's.",
                labels(name), static_cast<double>(pool.unbacked));
    page_.gauge("sapbuf_pool_peak_buffers", "The most buffers, of whichever size, that were not free at a time.",
                labels(name), static_cast<double>(pool.peak));
    page_.gauge("sapbuf_pool_waiting", "Users that wait for a buffer.", labels(name),
                static_cast<double>(pool.waiting));
  }

  void add_map(const std::string& name, const MapSnapshot& map) {
    count_all(name, kMapCounters, map.present, map.departed);
    page_.gauge("sapbuf_map_keys", "Keys that there are.", labels(name), static_cast<double>(map.keys));
    page_.gauge("sapbuf_map_room_keys", "Keys that there is room for.", labels(name), static_cast<double>(map.room));
  }

  void add_queue(const std::string& name, const QueueSnapshot& queue) {
    count_all(name, kQueueCounters, queue.present, queue.departed);
    for (std::size_t number = 0; number < queue.groups.size(); ++number) {
      const QueueGroupSnapshot& group = queue.groups[number];
      const std::pair<const char*, std::uint64_t> states[] = {
          {"queued", group.queued}, {"returned", group.returned}, {"held", group.held}, {"dead", group.dead}};
      for (const auto& [state, blocks] : states) {
        MetricLabels all = labels(name, "group", fmt::format("{}", number));
        all.emplace_back("state", state);
        page_.gauge("sapbuf_queue_blocks", "Blocks that a group has before it, by state.", all,
                    static_cast<double>(blocks));
      }
    }
    page_.gauge("sapbuf_queue_oldest_seconds", "Since the oldest block that is there was handed over.", labels(name),
                static_cast<double>(queue.oldest_ms) / 1000);
  }

  template <typename Ledger, std::size_t n>
  void see_all(const ParticipantSnapshot& participant, const CounterFigure<Ledger> (&figures)[n],
               const Ledger& ledger) {
    for (const CounterFigure<Ledger>& figure : figures) {
      if (ledger.*figure.value != 0) memory_.see(participant, figure.name, ledger.*figure.value);
    }
  }

  void add_participant(const ParticipantSnapshot& participant) {
    see_all(participant, kStreamCounters, participant.ledger);
    see_all(participant, kPoolCounters, participant.pool_ledger);
    see_all(participant, kMapCounters, participant.map_ledger.value_or(MapLedger{}));
    see_all(participant, kQueueCounters, participant.queue_ledger);
    ByName& now = present_[{participant.facility, participant.name, participant.role}];
    now.held_bytes += participant.held_bytes;
    if (participant.lag) now.lag = std::max(now.lag.value_or(0), participant.lag->messages);
    if (participant.lag) now.lag_bytes = std::max(now.lag_bytes, participant.lag->bytes);
  }

  MetricLabels labels(const std::string& facility, const std::string& name, Role role) const {
    MetricLabels all = labels(facility, "participant", printable_name(name));
    all.emplace_back("role", to_string(role));
    return all;
  }

  void add_sums() {
    for (const auto& [who, now] : present_) {
      const auto& [facility, name, role] = who;
      page_.gauge("sapbuf_participant_held_bytes", "What participants of this name keep from others.",
                  labels(facility, name, role), static_cast<double>(now.held_bytes));
      if (!now.lag) continue;
      page_.gauge("sapbuf_participant_lag_messages",
                  "Messages that the slowest reader of this name has still to come to.", labels(facility, name, role),
                  static_cast<double>(*now.lag));
      page_.gauge("sapbuf_participant_lag_bytes", "Payload of these messages.", labels(facility, name, role),
                  static_cast<double>(now.lag_bytes));
    }
    for (const MetricsMemory::Sum& sum : memory_.sums()) {
      page_.counter(fmt::format("sapbuf_participant_{}", sum.figure.substr(kPrefix.size())), helps().at(sum.figure),
                    labels(sum.facility, sum.name, sum.role), sum.value);
    }
  }

  const Snapshot& snapshot_;
  MetricsMemory& memory_;
  MetricsPage& page_;
  const std::string segment_;
  std::map<std::tuple<std::string, std::string, Role>, ByName> present_;
};

}  // namespace

void add_metrics(const Snapshot& snapshot, MetricsMemory& memory, MetricsPage& page) {
  SegmentMetrics{snapshot, memory, page}.add();
}

void add_unreadable(std::string_view segment, MetricsPage& page) {
  page.gauge("sapbuf_segment_readable", "1 if the segment can be looked at.", {{"segment", printable_name(segment)}},
             0);
}

void add_hidden(std::uint64_t segments, MetricsPage& page) {
  page.gauge("sapbuf_segments_hidden", "Segments that this user may not open.", {}, static_cast<double>(segments));
}

}  // namespace sapbuf::tools
