// A busy facility that the input has damaged, and goes on damaging while it is in use.
#pragma once

#include <cstdint>

#include "fuzz/input.hpp"
#include "support/memory.hpp"

namespace sapbuf::fuzz {

// A segment in the midst of things, where its words are, and what could stand there. Made once, and left alone: those
// who are at work in it hold their locks, which are found by the segment's id, so they live in each copy that has this
// id too.
class Original {
 public:
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };

  virtual ~Original() = default;
  virtual const test::HeapMemory& memory() const noexcept = 0;
  // Offsets of one of eight parts; `which` of them, where there are several.
  virtual Range range_of(unsigned where, std::uint64_t which) const = 0;
  // A word that could stand there.
  virtual std::uint64_t shape(Input& input, std::uint64_t offset) const = 0;

  std::uint64_t pick(unsigned where, std::uint16_t which) const;
};

// A copy of one. The first byte of an input chooses the original, whether those who were at work live or are dead
// (`kAlive`), or says that the input is *peaceful*, and damages nothing: its edits are read, and not made. Then come a
// count and as many edits:
//
//   byte 0       bits 0..2  where: see the original
//                bits 3..5  what: set, flip a bit, all ones, zero, copy another word, add, a shape
//   byte 1, 2    which word there
//   then         what the operation needs
class FacilityWorld {
 public:
  static constexpr std::uint8_t kAlive = 1 << 4;
  static constexpr std::uint8_t kPeaceful = 1 << 7;

  FacilityWorld(const Original& original, std::uint8_t choice, Input& input);
  FacilityWorld(const FacilityWorld&) = delete;
  FacilityWorld& operator=(const FacilityWorld&) = delete;
  ~FacilityWorld();

  bool is_peaceful() const noexcept { return peaceful_; }
  const test::HeapMemory& memory() const noexcept { return memory_; }
  void edit(Input& input);
  // Makes an edit when so many kill points have been passed as the input's next byte says, and one more. Takes 8 bytes: an edit that
  // is longer is read of what other steps are made of, too.
  void edit_on_the_way(Input& input);

 private:
  std::uint64_t edited(Input& input, unsigned what, std::uint64_t offset) const;

  const bool peaceful_;
  const Original& original_;
  test::HeapMemory memory_;
};

}  // namespace sapbuf::fuzz
