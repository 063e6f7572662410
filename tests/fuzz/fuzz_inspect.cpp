// Onlookers: inspect, find_dead, dump.
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"

using namespace sapbuf;
using fuzz::tolerate;
using fuzz::World;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run(data, size, [](const Segment& segment) {
    tolerate([&] { test::inspect_all(segment); });
    tolerate([&] { test::dump_all(segment, &World::pause); });
    tolerate([&] { test::inspect_all(segment); });
  });
}
