// A round's users of a pool: senders that fill buffers and attach them to the messages of a stream of their own, and
// receivers that adopt, check and keep them for a while. They are killed and stopped like all others; in the end an
// auditor accounts for every buffer.
#pragma once

#include <cstdint>
#include <string>

#include "soak/side_crew.hpp"

namespace sapbuf::soak {

// What its processes know and count, in memory that outlives them.
struct PoolBoard : Diary {
  Shared<bool> finish;
  Shared<std::uint64_t> filled;
  Shared<std::uint64_t> adopted;
};

class PoolCrew {
 public:
  // Makes pool and stream in the segment.
  PoolCrew(std::string segment, const Plan& plan, RoundResult& result);

  SideCrew& crew() noexcept { return crew_; }
  // Tells all to come to an end, and waits until nobody is left.
  void await_end();
  // When all are gone and recovered: one user must get every buffer.
  void audit();

 private:
  const std::string segment_;
  RoundResult& result_;
  SharedBoardOf<PoolBoard> board_;
  SideCrew crew_;
};

}  // namespace sapbuf::soak
