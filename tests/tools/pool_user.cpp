// pool_user SEGMENT POOL NAME KEPT SHARED: a user of a pool who has so many buffers for himself, and so many shared
// ones, until he is killed. For the tests of the tools.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sapbuf/pool.hpp>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 6) return std::cerr << "pool_user SEGMENT POOL NAME KEPT SHARED\n", 2;
  const sapbuf::Pool pool = sapbuf::Pool::open(sapbuf::Segment::open(argv[1]), argv[2]);
  sapbuf::PoolUser user{pool, {.name = argv[3]}};
  const int kept = std::atoi(argv[4]);
  const int shared = std::atoi(argv[5]);
  std::vector<sapbuf::Buffer> held;
  for (int number = 0; number < kept + shared; ++number) {
    held.push_back(user.acquire());
    if (!held.back()) return std::cerr << to_string(held.back().status()) << '\n', 1;
    if (number >= kept) held.back().share();
  }
  for (;;) ::pause();
}
