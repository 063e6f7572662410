// Which instructions of an operation a kill can be told apart after.
//
// What a killed process leaves is what others can see of it: the bytes that it shares, and what its system calls did
// (locks, files, wakes). All the rest ends with it. So of all places between two instructions, those with the same
// shared bytes and no system call between them leave the same state, and one kill stands for all. A *moment* is such a
// class, named by its first place: the one right behind the instruction that changed something. Who waits comes to the
// same instruction with the same bytes again and again: that is one moment. Of a string instruction, which fills or
// copies payload byte by byte, the repetitions 0, 1, 2, 4, 8... and the last are tried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "step/stepper.hpp"

namespace sapbuf::test {

// A copy of what the process shares, to see when it changes: a shared-memory object, whatever its size and whether it
// exists, and other memory. Words at the `ignored` offsets of the object, which rise, do not count: times, which no
// recovery asks for.
class SharedBytes {
 public:
  SharedBytes(const std::string& segment_name, std::span<const std::byte> more, std::vector<std::size_t> ignored = {});
  SharedBytes(const SharedBytes&) = delete;
  SharedBytes& operator=(const SharedBytes&) = delete;
  ~SharedBytes();

  // Whether anything differs from what it was at the last call.
  bool changed();
  // After a system call: the object may have come, gone, or changed its size.
  void look_again();
  // Names the state: equal bytes, equal number.
  std::size_t hash() const;

 private:
  void unmap() noexcept;
  bool is_as_it_was() const noexcept;
  std::vector<std::byte> copy() const;

  std::string path_;
  std::span<const std::byte> more_;
  std::span<const std::byte> object_;
  std::uint64_t inode_ = 0;
  std::vector<std::size_t> ignored_;
  std::vector<std::byte> last_;
};

struct Moment {
  std::uint64_t instructions = 0;  // executed up to here
  std::uintptr_t address = 0;      // of the instruction that made the change; 0: the operation's beginning
  std::uint64_t arrivals = 0;      // how often it had been come to
  std::uint64_t repetitions = 0;   // of a string instruction, after the last arrival
};

struct Trace {
  std::uint64_t instructions = 0;
  std::vector<Moment> moments;
  bool broken = false;
};

enum class Detail {
  moments,
  instructions,  // every one counts as a moment: for those who come between two of them
};

// Takes the process through its whole operation, or through the first `limit` moments.
Trace trace(SteppedProcess& process, SharedBytes& bytes, std::size_t limit = ~std::size_t{0},
            Detail detail = Detail::moments);

// Takes a process of the same kind to a moment of the trace by a breakpoint. False if it took another way, as one that
// waits for something may: then `trace` with a limit gets there.
bool jump_to(SteppedProcess& process, SharedBytes& bytes, const Moment& moment, Detail detail = Detail::moments);

}  // namespace sapbuf::test
