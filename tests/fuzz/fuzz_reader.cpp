// Readers: from the oldest, and from the newest.
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"

using namespace sapbuf;
using namespace std::chrono_literals;
using fuzz::tolerate;
using fuzz::World;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run(data, size, [](const Segment& segment) {
    for (const From from : {From::oldest, From::newest}) {
      tolerate([&] { test::read_all(segment, from, 1us, &World::pause); });
    }
  });
}
