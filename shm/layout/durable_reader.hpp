// Readers whose place in a stream outlives them: an array of records in the stream's region, each with a table for each slab
// that says how far the reader has come there.
//
//   record | table of slab 0 | table of slab 1 | ...
//   a table: generation | a word for each granule that an extent may begin with (per-writer order), or one (total order)
#pragma once

#include <sapbuf/layout/participant.hpp>

namespace sapbuf::layout {

inline constexpr std::uint32_t kMaxDurableReaders = 64;

enum class DurableState : std::uint64_t {
  free = 0,
  making = 1,  // its reader is still attaching, and has no place yet: with that reader it goes
  named = 2,
};

// A participant: its slot, and the registration of that.
//
//   63                 16 15       0
//   +--------------------+---------+
//   |     incarnation    |  slot   |
//   +--------------------+---------+
struct ParticipantId {
  std::uint64_t word = 0;

  static constexpr ParticipantId make(std::uint32_t slot, std::uint64_t incarnation) noexcept {
    return {incarnation << 16 | slot};
  }
  constexpr bool is_none() const noexcept { return word == 0; }
  constexpr std::uint32_t slot() const noexcept { return static_cast<std::uint32_t>(word & 0xffff); }
  constexpr std::uint64_t incarnation() const noexcept { return word >> 16; }
  constexpr bool operator==(const ParticipantId&) const noexcept = default;
};

struct alignas(kLineBytes) DurableReader {
  // DurableState. All words of a record, but for `passed`:
  //   written by  who attaches, settles a reader, or removes the record: under the stream's lock. `making` to `named`: its
  //               reader, with compare-exchange, once its tables say where it begins
  //   read by     the same; whoever reclaims; inspect
  //   edge        the lock; durable: release, behind the words below <-> acquire, for those who look without it
  //   crash       `making`: free again, once its reader is settled.  Otherwise the words hold by themselves, see each
  Word state;
  // ParticipantId of the reader that has the record now. Counts while that one's registration says that it is attached, or
  // leaving; its own hold says then what it keeps.
  //   crash       before that reader is attached: as if it had not come
  Word owner;
  // While nobody has the record: every generation from here on is kept for it. Stored before `owner` is taken back, and
  // before the reader's own hold goes.
  //   crash       in between: whoever settles that reader does it once more
  Word hold;
  Word max_bytes;       // that it may keep, of whole slabs; 0: no limit
  Word max_away_ns;     // for so long; 0: no limit
  Word away_since_ns;   // coarse monotonic time, on the clock of
  Word time_namespace;  // this namespace
  // Messages of the stream before its place, those included that it lost, plus one; 0: nobody counted them.
  //   written by  its reader, behind its tables: before `named`, and after each range
  //   crash       of that reader: too small by the range that it died in
  Word passed;
  Word name[kNameBytes / 8];  // UTF-8, padded with zero bytes
};

inline constexpr Field kDurableReaderFields[] = {SAPBUF_FIELD(DurableReader, state),
                                                 SAPBUF_FIELD(DurableReader, owner),
                                                 SAPBUF_FIELD(DurableReader, hold),
                                                 SAPBUF_FIELD(DurableReader, max_bytes),
                                                 SAPBUF_FIELD(DurableReader, max_away_ns),
                                                 SAPBUF_FIELD(DurableReader, away_since_ns),
                                                 SAPBUF_FIELD(DurableReader, time_namespace),
                                                 SAPBUF_FIELD(DurableReader, passed),
                                                 SAPBUF_FIELD(DurableReader, name)};
static_assert(sizeof(DurableReader) == 128 && covers(kDurableReaderFields, sizeof(DurableReader)));

// The words of a table, of which the first one is the generation that the others are of. The others: the offset in the slab
// behind what was read of the extent that begins there; 0: nothing.
//   written by  the record's reader: zeros, then the generation; then what it has read, after each range
//   read by     the reader that goes on, inspect
//   edge        the lock, and the proof that the reader before is dead
//   crash       before the generation: nothing counts as read there, which is true.  Otherwise what it has read since its last
//               range comes again
inline constexpr std::uint64_t kDurableTableHead = 1;

}  // namespace sapbuf::layout
