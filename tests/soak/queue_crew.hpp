// A round's producers and consumers of queues: feeders release messages, some with keys; workers, of one group or two,
// are done with them, put them back, at once or later, or pass them on with an answer in them; clerks are done with answers
// and dead letters. They are killed and stopped like all others; in the end an auditor takes what is left, and accounts
// for every message and every block.
#pragma once

#include <cstdint>
#include <string>

#include "soak/queue_ledger.hpp"
#include "soak/side_crew.hpp"

namespace sapbuf::soak {

class QueueCrew {
 public:
  // Makes pool and queues in the segment.
  QueueCrew(std::string segment, const Plan& plan, RoundResult& result);

  SideCrew& crew() noexcept { return crew_; }
  // Tells all to come to an end, and waits until nobody is left.
  void await_end();
  // When all are gone and recovered.
  void audit();

 private:
  const std::string segment_;
  RoundResult& result_;
  const std::uint32_t groups_;
  SharedBoardOf<QueueBoard> board_;
  SideCrew crew_;
};

}  // namespace sapbuf::soak
