// A busy pool that the input has damaged, and goes on damaging while it is in use.
#pragma once

#include <cstdint>
#include <optional>

#include <sapbuf/layout/pool_geometry.hpp>

#include "fuzz/input.hpp"
#include "support/memory.hpp"

namespace sapbuf::fuzz {

// The first byte of an input chooses order, policy and fences of the stream that carries the pool's buffers, and whether
// those who were at work live or are dead; or says that the input is *peaceful*, and damages nothing: its edits are
// read, and not made. Then come a count and as many edits:
//
//   byte 0       bits 0..2  where: control, slots, magazines, roots, words, attached buffers, registry, anywhere
//                bits 3..5  what: set, flip a bit, all ones, zero, copy another word, add, a shape (see pool_world.cpp)
//   byte 1, 2    which word there
//   then         what the operation needs
class PoolWorld {
 public:
  explicit PoolWorld(Input& input);
  PoolWorld(const PoolWorld&) = delete;
  PoolWorld& operator=(const PoolWorld&) = delete;
  ~PoolWorld();

  bool is_peaceful() const noexcept { return peaceful_; }
  const test::HeapMemory& memory() const noexcept { return memory_; }
  void edit(Input& input);
  // Makes an edit when the input's next byte, plus one, kill points have been passed.
  void lie_in_wait(Input input);

 private:
  struct Map;
  static const Map& map_of(std::uint8_t choice);

  explicit PoolWorld(std::uint8_t choice);

  const bool peaceful_;
  const Map& map_;
  test::HeapMemory memory_;
};

inline constexpr std::uint64_t kFuzzedBuffers = 16;  // at first
inline constexpr std::uint64_t kFuzzedMost = 24;
inline constexpr std::uint64_t kFuzzedBufferBytes = 64;

}  // namespace sapbuf::fuzz
