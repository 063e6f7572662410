// A round's users of a pool: senders that fill buffers and attach them to the messages of a stream of their own, and
// receivers that adopt, check and keep them for a while. They are killed and stopped like all others; in the end an
// auditor accounts for every buffer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "soak/dice.hpp"
#include "soak/process.hpp"
#include "soak/round.hpp"

namespace sapbuf::soak {

// What its processes know and count, in memory that outlives them.
struct PoolBoard;

class PoolCrew {
 public:
  // Makes pool and stream in the segment.
  PoolCrew(std::string segment, const Plan& plan, RoundResult& result);
  PoolCrew(const PoolCrew&) = delete;
  PoolCrew& operator=(const PoolCrew&) = delete;
  ~PoolCrew();

  void start();
  // Kills one, or stops it for a while.
  void event();
  // Notices who ended, sends others in their place, and lets those who were stopped go on.
  void look();
  // Waits until nobody is left; those that still run are told as violations.
  void await_end();
  // When all are gone and recovered: one user must get every buffer.
  void audit();

 private:
  struct Member {
    bool sends = false;
    std::uint32_t who = 0;
    Process process;
    bool killed = false;
    std::uint64_t continue_ns = 0;  // 0: it is not stopped
  };

  void send_in(bool sends);
  void continue_due(std::uint64_t now);
  void reap(bool replace);

  const std::string segment_;
  const Plan& plan_;
  RoundResult& result_;
  Dice dice_;
  PoolBoard* const board_;
  std::uint32_t next_who_ = 1;
  std::vector<Member> members_;
};

}  // namespace sapbuf::soak
