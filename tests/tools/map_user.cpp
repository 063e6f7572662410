// map_user SEGMENT MAP KEY NAME [keep]: has a key, which is there, to itself until it is killed; keep: reads it, and
// keeps the version that it read. For the tests of the tools.
#include <unistd.h>

#include <iostream>
#include <sapbuf/map.hpp>

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) return std::cerr << "map_user SEGMENT MAP KEY NAME [keep]\n", 2;
  const sapbuf::Map map = sapbuf::Map::open(sapbuf::Segment::open(argv[1]), argv[2]);
  if (argc == 6) {
    sapbuf::MapReader reader{map, {.name = argv[4]}};
    const sapbuf::MapValue kept = reader.read(argv[3]);
    std::cout << "mine\n" << std::flush;
    for (; kept;) ::pause();
    return std::cerr << to_string(kept.status()) << '\n', 1;
  }
  sapbuf::MapWriter writer{map, {.name = argv[4]}};
  const sapbuf::Status status = writer.update(argv[3], [](std::span<const std::byte>, sapbuf::MapDraft&) {
    std::cout << "mine\n" << std::flush;
    for (;;) ::pause();
  });
  return std::cerr << to_string(status) << '\n', 1;
}
