// pool_user SEGMENT POOL NAME KEPT SHARED [BYTES]: a user of a pool who has so many buffers for himself, and so many shared
// ones, until he is killed; for so many bytes each, or of the smallest size. For the tests of the tools.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sapbuf/pool.hpp>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 6 && argc != 7) return std::cerr << "pool_user SEGMENT POOL NAME KEPT SHARED [BYTES]\n", 2;
  const sapbuf::Pool pool = sapbuf::Pool::open(sapbuf::Segment::open(argv[1]), argv[2]);
  sapbuf::PoolUser user{pool, {.name = argv[3]}};
  const int kept = std::atoi(argv[4]);
  const int shared = std::atoi(argv[5]);
  std::vector<sapbuf::Buffer> held;
  for (int number = 0; number < kept + shared; ++number) {
    held.push_back(argc == 7 ? user.acquire(std::strtoull(argv[6], nullptr, 10)) : user.acquire());
    if (!held.back()) return std::cerr << to_string(held.back().status()) << '\n', 1;
    if (number >= kept) held.back().share();
  }
  for (;;) ::pause();
}
