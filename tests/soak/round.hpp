// One round: a stream, a pool, a map, a cell and queues, processes that come, go, stop and are killed, and what is left in the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "soak/plan.hpp"
#include "soak/times.hpp"

namespace sapbuf::soak {

struct RoundResult {
  std::vector<std::string> violations;
  std::vector<Death> deaths;
  std::vector<Stall> stalls;
  Intervals stopped;  // when somebody of any crew was
  std::uint64_t producer_kills = 0;
  std::uint64_t reader_kills = 0;
  std::uint64_t watchdog_kills = 0;
  std::uint64_t pool_kills = 0;   // of users of the pool
  std::uint64_t map_kills = 0;    // of readers and writers of the map
  std::uint64_t queue_kills = 0;  // of producers and consumers of the queues
  std::uint64_t stops = 0;
  std::uint64_t restarts = 0;    // new incarnations after a kill or a departure
  std::uint64_t departures = 0;  // of their own accord
  std::uint64_t written = 0;     // committed
  std::uint64_t bytes = 0;
  std::uint64_t delivered = 0;  // to all readers
  std::uint64_t dropped = 0;
  std::uint64_t aborted = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t overwritten = 0;  // lost by readers of `overwrite` streams
  std::uint64_t lost = 0;         // lost by readers of the others: 0
  std::uint64_t buffers_filled = 0;
  std::uint64_t buffers_adopted = 0;   // checked, and most of them kept for a while
  std::uint64_t buffers_leaked = 0;    // that the auditor did not get: 0
  std::uint64_t values_written = 0;    // of the map
  std::uint64_t values_read = 0;       // and checked
  std::uint64_t jobs_released = 0;     // to the queues
  std::uint64_t jobs_taken = 0;        // and checked
  std::uint64_t jobs_redelivered = 0;  // of these, that had been taken before
  std::uint64_t jobs_lost = 0;         // released, and neither done with nor there: 0
  bool cut_short = false;
};

struct RoundOptions {
  std::string watchdog_program;
  std::string keep;  // folder for the segment of a round that fails; empty: nothing is kept
  const std::atomic<bool>* interrupted;
};

RoundResult run_round(const Plan& plan, const RoundOptions& options);

}  // namespace sapbuf::soak
