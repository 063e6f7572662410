// What a process has of segments, as the kernel sees it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sapbuf::test {

struct Holdings {
  std::vector<std::string> descriptors;  // what each open descriptor refers to
  std::vector<std::string> mappings;     // of segments' files, and of those that carry locks

  static Holdings now();
  // What is here and not there; empty if there is nothing.
  std::string beyond(const Holdings& before) const;
};

// Whether anybody has a lock on any byte of the segment's file. True, too, if it cannot be asked.
bool is_any_byte_locked(std::string_view segment_name);

}  // namespace sapbuf::test
