// What a round's processes do. Each function is the whole life of one process; it throws when something is wrong.
#pragma once

#include <cstdint>
#include <string>

#include "soak/board.hpp"
#include "soak/message.hpp"

namespace sapbuf::soak {

// Messages that a producer publishes together now and then.
inline constexpr std::uint64_t kBatch = 8;

// What all processes of a round know.
struct Scene {
  std::string stream;
  Board& board;
  Messages messages;
  std::uint64_t seed;
  bool lossless;  // readers miss nothing that was committed after they attached
};

// By these names the journal tells one incarnation from all others.
std::string producer_name(std::uint32_t id);
std::string reader_name(std::uint32_t id);

void produce(const Scene& scene, std::uint32_t id);
void read(const Scene& scene, std::uint32_t id);
// Naps, and notes how late it wakes up.
void idle(const Scene& scene);
// Passes messages through a stream that nobody else uses until every slab was used again.
void probe(const Scene& scene);

}  // namespace sapbuf::soak
