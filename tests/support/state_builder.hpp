// A stream whose words a test writes by hand, and reads back in the same notation: a state that only a kill between two
// stores could leave, in a few lines. One line of text for each slab:
//
//   GENERATION STATE [cursor[+BYTES]] [closed] [before=N] [messages=N] [cleaned=N] [: CONTENT [| ~]]
//
//   cursor      the cursor points here, behind what is claimed; +BYTES: so far behind the slab's end
//   closed      the descriptor's word; control.closed_through is the newest generation that has it
//   before, messages, cleaned    the descriptor's words (messages in all older generations and in this one); left out: 0, unknown
//   CONTENT     what is claimed of the slab: of one that the cursor is not in, up to limit_bytes
//   | ~         what was not claimed is one NOP
//
// CONTENT in per-writer order are the rows of the extent table, of kGranule bytes each, and the frames in them:
//
//   -                      a granule whose word is free
//   last:1<2               a last word without its first one: slot 1's, leading back two granules
//   open:1x2{@ ab c 0}     two granules, open for slot 1: the extent frame, messages "ab" and "c", a zero header
//   closed:1#2{@ ab c ~}   one granule, closed; the word counts two messages; a NOP to the row's end
//
// and in total order the frames:
//
//   ab                     a message
//   busy:1+24              a busy frame of slot 1, of 24 bytes
//   -16                    zeros: claimed, without a trace
//   ~24                    a NOP of 24 bytes
//
// What no word of this speaks of is filled with what must not matter: garbage in per-writer order, zeros in total order.
#pragma once

#include <string>
#include <vector>

#include "stream/stream_core.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {

// Somebody who is attached to the stream: a process that is dead by the proof of its liveness lock, or this one.
struct Attached {
  Role role = Role::writer;
  bool alive = false;
  // A writer's words.
  layout::Claim claim{};
  bool busy = false;
  std::uint64_t committed = 0;  // messages, and their bytes
  std::uint64_t committed_bytes = 0;
  std::uint64_t in_extent = 0;      // of `committed`: in the extent that it has open
  std::uint64_t claimed_bytes = 0;  // total order: of a located claim
  // A reader's words.
  std::uint64_t hold = layout::kNoHold;
  std::uint64_t pins = 0;
};

class StateBuilder {
 public:
  static constexpr std::uint64_t kSlabBytes = 4096;
  static constexpr std::uint64_t kGranule = 512;  // so there are eight of them in a slab

  struct Options {
    OnFull on_full = OnFull::block;
    std::uint64_t slab_bytes = kSlabBytes;
    bool retain = false;
  };
  explicit StateBuilder(Order order) : StateBuilder(order, Options{}) {}
  StateBuilder(Order order, const Options& options);
  StateBuilder(const StateBuilder&) = delete;
  StateBuilder& operator=(const StateBuilder&) = delete;

  // One line for each slab; what none is given for was never used. Throws std::invalid_argument.
  void write(const std::vector<std::string>& slabs);
  // As `write` has it, to the word; up to the last slab that was ever used.
  std::vector<std::string> read() const;
  // Takes the next slot; returns its index.
  std::uint32_t attach(const Attached& who);
  void attach(const std::vector<Attached>& all);

  const Segment& segment() const noexcept { return segment_; }
  detail::StreamCore& core() const noexcept { return core_; }
  layout::StreamSlot& slot(std::uint32_t index) const noexcept { return core_.slot(index); }

 private:
  HeapSegment segment_;
  detail::StreamCore& core_;
  std::uint32_t attached_ = 0;
};

// "2 committed (3 bytes), 1 abandoned": what the participants that have left did.
std::string departed(const Segment& segment);

}  // namespace sapbuf::test
