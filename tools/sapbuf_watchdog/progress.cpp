#include "sapbuf_watchdog/progress.hpp"

#include <algorithm>
#include <utility>

namespace sapbuf::tools {

namespace {

// Of a look, on a machine that is busy.
constexpr std::chrono::milliseconds kUsualDelay{500};

// FNV-1a, of words: http://www.isthe.com/chongo/tech/comp/fnv/
class Digest {
 public:
  template <typename... Words>
  void add(Words... words) {
    (add_one(words), ...);
  }
  std::uint64_t value() const noexcept { return value_; }

 private:
  void add_one(std::uint64_t word) noexcept { value_ = (value_ ^ word) * 0x100000001b3; }

  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

std::uint64_t progress_of(const ParticipantSnapshot& participant) {
  Digest digest;
  digest.add(participant.in_operation ? 1u : 0u);
  const Ledger& stream = participant.ledger;
  digest.add(stream.committed, stream.aborted, stream.dropped, stream.abandoned, stream.delivered, stream.lost,
             stream.skipped);
  const PoolLedger& pool = participant.pool_ledger;
  digest.add(pool.acquired, pool.adopted, pool.released, pool.attached, pool.refills, pool.waits);
  const MapLedger map = participant.map_ledger.value_or(MapLedger{});
  digest.add(map.flipped, map.inserted, map.erased, map.waits);
  const QueueLedger& queue = participant.queue_ledger;
  digest.add(queue.pushed, queue.taken, queue.ended, queue.put_back, queue.passed, queue.dead_letters, queue.waits);
  // What a reader keeps grows at its other end by what others do.
  if (participant.role == Role::reader && !participant.held_generations.empty()) {
    digest.add(participant.held_generations.front());
  }
  return digest.value();
}

void ProgressWatch::look(const Snapshot& snapshot, Clock::time_point now) {
  using std::chrono::milliseconds;
  const Clock::duration pause = now - last_look_;
  last_look_ = now;
  if (pause > options_.interval + std::max<milliseconds>(options_.hung_after / 2, kUsualDelay)) seen_.clear();
  const Clock::duration counts = std::min<Clock::duration>(pause, options_.interval + options_.hung_after / 4);
  std::map<std::uint32_t, Seen> seen;
  for (const ParticipantSnapshot& participant : snapshot.participants) {
    Seen next{participant.incarnation, progress_of(participant), {}};
    const auto known = seen_.find(participant.slot);
    const bool is_same = known != seen_.end() && known->second.incarnation == next.incarnation &&
                         known->second.progress == next.progress;
    if (is_same) next.unchanged = known->second.unchanged + counts;
    seen.emplace(participant.slot, next);
  }
  seen_ = std::move(seen);
}

bool ProgressWatch::stands_still(const ParticipantSnapshot& participant) const {
  const auto known = seen_.find(participant.slot);
  return known != seen_.end() && known->second.incarnation == participant.incarnation &&
         known->second.unchanged >= options_.hung_after;
}

}  // namespace sapbuf::tools
