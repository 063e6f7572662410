// Recovery, twice, and what it leaves.
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"

using namespace sapbuf;
using fuzz::tolerate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run(data, size, [](const Segment& segment) {
    tolerate([&] { recover(segment); });
    tolerate([&] { recover(segment); });
    tolerate([&] { test::inspect_all(segment); });
  });
}
