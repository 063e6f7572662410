// Attaches readers, as many as are asked for, and stays until it is killed.
#include <unistd.h>

#include <cstdlib>
#include <sapbuf/sapbuf.hpp>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto segment = sapbuf::Segment::open(argv[1]);
  std::vector<sapbuf::Reader> readers;
  for (int left = std::atoi(argv[2]); left > 0; --left) {
    readers.emplace_back(segment, sapbuf::ReaderOptions{.name = "one of many", .from = sapbuf::From::newest});
  }
  for (;;) ::pause();
}
