// map_user SEGMENT MAP KEY NAME: has a key, which is there, to itself until it is killed. For the tests of the tools.
#include <unistd.h>

#include <iostream>
#include <sapbuf/map.hpp>

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "map_user SEGMENT MAP KEY NAME\n", 2;
  const sapbuf::Map map = sapbuf::Map::open(sapbuf::Segment::open(argv[1]), argv[2]);
  sapbuf::MapWriter writer{map, {.name = argv[4]}};
  const sapbuf::Status status = writer.update(argv[3], [](std::span<const std::byte>, sapbuf::MapDraft&) {
    std::cout << "mine\n" << std::flush;
    for (;;) ::pause();
  });
  return std::cerr << to_string(status) << '\n', 1;
}
