// What must hold at the end of a round: readers against diaries, ledger against both, journal against kills.
#pragma once

#include <cstdint>
#include <map>

#include <sapbuf/sapbuf.hpp>

#include "soak/crew.hpp"

namespace sapbuf::soak {

using Journal = std::map<std::uint64_t, JournalRecord>;  // by number

struct Evidence {
  const Plan& plan;
  const Board& board;
  const Crew& crew;
  const Journal& journal;
  Ledger ledger;  // of the departed, when everybody has left
  std::uint64_t departed_participants;
};

// Adds what is wrong to `result`, and what was counted.
void judge(const Evidence& evidence, RoundResult& result);

}  // namespace sapbuf::soak
