// Writers, alone and with a reader at their heels: claims, flips, closing, reclaims.
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"

using namespace sapbuf;
using namespace std::chrono_literals;
using fuzz::tolerate;
using fuzz::World;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run(data, size, [](const Segment& segment) {
    tolerate([&] { test::write_many(segment, 0ms, &World::pause); });
    tolerate([&] { test::write_and_read(segment, 0ms, &World::pause); });
  });
}
