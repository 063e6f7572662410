// A round's readers and writers of a map, and of a cell: writers put, insert, erase and update keys, and flip two
// together; readers look values up, check that they are whole, and keep some for a while. They are killed and stopped
// like all others; in the end an auditor looks at every key, and accounts for every buffer.
#pragma once

#include <cstdint>
#include <string>

#include "soak/side_crew.hpp"

namespace sapbuf::soak {

// What its processes know and count, in memory that outlives them.
struct MapBoard : Diary {
  Shared<bool> finish;
  Shared<std::uint64_t> written;
  Shared<std::uint64_t> read;
  Shared<std::uint64_t> updates_begun;  // of the counter, each by one
  Shared<std::uint64_t> updates_ended;
};

class MapCrew {
 public:
  // Makes map and cell in the segment.
  MapCrew(std::string segment, const Plan& plan, RoundResult& result);

  SideCrew& crew() noexcept { return crew_; }
  // Tells all to come to an end, and waits until nobody is left.
  void await_end();
  // When all are gone and recovered.
  void audit();

 private:
  const std::string segment_;
  RoundResult& result_;
  SharedBoardOf<MapBoard> board_;
  SideCrew crew_;
};

}  // namespace sapbuf::soak
