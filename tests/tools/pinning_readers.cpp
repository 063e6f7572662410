// pinning_readers SEGMENT/STREAM...: has a reader of each of these streams, with a range that it has pinned, until it is killed.
// For the tests of the tools.
#include <unistd.h>

#include <iostream>
#include <list>
#include <sapbuf/sapbuf.hpp>

int main(int argc, char** argv) {
  if (argc < 2) return std::cerr << "pinning_readers SEGMENT/STREAM...\n", 2;
  std::list<sapbuf::Reader> readers;
  std::list<sapbuf::PinnedRange> ranges;
  for (int number = 1; number < argc; ++number) {
    const std::string_view name = argv[number];
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos) return std::cerr << name << " is no SEGMENT/STREAM\n", 2;
    const auto segment = sapbuf::Segment::open(name.substr(0, slash));
    readers.emplace_back(sapbuf::Stream::open(segment, name.substr(slash + 1)),
                         sapbuf::ReaderOptions{.name = "pinning", .from = sapbuf::From::oldest});
    ranges.push_back(readers.back().pin());
    if (ranges.back().begin() == ranges.back().end()) return std::cerr << "nothing in " << name << '\n', 1;
  }
  std::cout << "pinned\n" << std::flush;
  for (;;) ::pause();
}
