// cell_user SEGMENT CELL NAME STORES: a handle of a cell of 8 bytes, which stored so many values, until it is killed. For the
// tests of the tools.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sapbuf/cell.hpp>

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "cell_user SEGMENT CELL NAME STORES\n", 2;
  sapbuf::Cell<std::uint64_t> cell{sapbuf::Segment::open(argv[1]), argv[2], {.name = argv[3]}};
  for (int i = 0; i < std::atoi(argv[4]); ++i) cell.store(static_cast<std::uint64_t>(i));
  for (;;) ::pause();
}
