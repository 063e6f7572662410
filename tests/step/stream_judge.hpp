// The oracle of streams: what must hold after a participant was killed, whatever it was doing.
#pragma once

#include <span>
#include <string>

#include "step/experiment.hpp"
#include "step/stream_world.hpp"

namespace sapbuf::test {

// A participant that was killed, and what it says of itself.
struct Departed {
  std::uint32_t id = 0;  // of its messages
  const Diary* diary = nullptr;
  bool in_operation = true;  // killed in the midst of it: it may have committed once more than it could note
};

// Lets the stream go on, and looks at everything: the bystander, if there is one, goes on and comes to its end; a fresh
// writer and a fresh reader attach; everybody who lives makes progress; each message that was committed is delivered
// once, whole, and in its writer's order; the ledger balances; no slot is left; and the segment's words are looked at
// after each step (support/invariants.hpp). Says what is wrong; nothing if all is right.
std::string judge(StreamWorld& world, std::span<const Departed> departed, Healer healer);

}  // namespace sapbuf::test
