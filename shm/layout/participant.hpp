// A participant's slot: what others must know of one writer or reader handle.
//
//   line 0      hot          only the owner writes (and repair, once the owner is dead)
//   line 1      attention    only others write; the owner reads it at every reserve
//   line 2, 3   ledger       two records, selected by the progress word
//   line 4..7   identity     written at attach; read by recovery and by people
#pragma once

#include <sapbuf/layout/ledger.hpp>

namespace sapbuf::layout {

enum class SlotState : std::uint8_t {
  free = 0,
  attached = 1,
  leaving = 2,  // its owner is detaching: what it holds goes as after a death, but nobody died
};
enum class SlotRole : std::uint8_t { none = 0, writer = 1, reader = 2 };

//   63                16 15     8 7      0
//   +-------------------+--------+-------+
//   |   incarnation     |  role  | state |
//   +-------------------+--------+-------+
struct SlotTenure {
  std::uint64_t word = 0;

  static constexpr SlotTenure make(std::uint64_t incarnation, SlotRole role, SlotState state) noexcept {
    return {incarnation << 16 | std::uint64_t{static_cast<std::uint8_t>(role)} << 8 | static_cast<std::uint8_t>(state)};
  }
  constexpr std::uint64_t incarnation() const noexcept { return word >> 16; }
  constexpr SlotRole role() const noexcept { return static_cast<SlotRole>(word >> 8 & 0xff); }
  constexpr SlotState state() const noexcept { return static_cast<SlotState>(word & 0xff); }
  constexpr bool in_use() const noexcept { return state() != SlotState::free; }
};

inline constexpr std::size_t kNameBytes = 64;
inline constexpr std::uint64_t kNoHold = ~std::uint64_t{0};
inline constexpr std::uint64_t kSettledByOthers = ~std::uint64_t{0};  // in `revoked`

struct alignas(kLineBytes) ParticipantSlot {
  // Writer: `busy` while a reservation is open, and the frames committed since the selected record.
  //   written by  the owner;  read by  a sealer, repair, inspect
  //   edge        seal: light fence in reserve <-> heavy fence in seal
  //   crash       busy stays set: repair finds out from the frames whether the reservation was committed
  Word progress;
  // Writer: announced before each fetch_add on the cursor, located once the claim has left its trace.
  //   edge        announce: the store is before the fetch_add <-> repair, sealers and readers read the cursor, then
  //               this word; each store releases the trace of the claim before
  //   crash       stays `claiming`: repair looks for a hole after the grace period
  Word claim;
  // Coarse monotonic time of last progress, in nanoseconds, on the clock of the owner's time namespace. Raises
  // suspicion only; proves nothing.
  Word heartbeat_ns;
  // Lossless reader: every generation from here on is kept for it; kNoHold otherwise. Only ever rises.
  //   edge        hold-release: release by the reader after its last read <-> acquire by whoever reclaims
  Word hold;
  // Reader: bit s while a pinned range may show frames of slab s. In `overwrite` streams it keeps the slab; elsewhere
  // the hold does, and this only tells people.
  //   edge        pin: seq_cst store, then the slab's state is read <-> the state is stored, then pins are read
  Word pins;
  Word delivered;  // reader: messages of ranges that were unpinned
  Word lost;       // reader: messages overwritten before it came to them
  // Writer, total order: of the located claim, which may hold a batch of messages.
  //   edge        gap: stored before the claim is located; a reader that meets a later claim's sees the frame before
  Word claimed_bytes;

  // Writer: "no extent of this generation or of an older one is yours any more". Only ever rises. All ones: recovery
  // settled the slot, so whoever still uses it was taken for dead; stays so until somebody else attaches there.
  //   written by  a sealer, or recovery, under the maintenance lock; the owner, if it is closed while it is busy
  //   read by     the owner, sealers, and whoever attaches;  crash  harmless
  alignas(kLineBytes) Word revoked;
  // Reader: messages committed in all generations before its first one, plus one; 0 if nobody counted them.
  //   written by  the reader, when it attaches
  Word base_frames;
  Word start_generation;  // reader: its first generation; written when it attaches
  // The incarnation of this slot that the departed totals include although they name somebody else as added last.
  //   written by  whoever adds the next one, under the maintenance lock;  read by  whoever settles this slot
  //   crash       harmless: it says what the departed record that is still selected says too
  Word counted;
  Word reserved_for_others[4];

  LedgerRecord records[2];

  // Registry edge: the lock on `life` is taken before the state leaves `free` and dropped only after it is `free`
  // again; so a slot in use whose life is not locked belongs to the dead.
  alignas(kLineBytes) Word tenure;
  Word attached_at_ns;  // wall clock, nanoseconds since the epoch
  Word pid;             // in the participant's own pid namespace
  Word pid_namespace;   // inode number of that namespace
  Word start_time;      // clock ticks after boot, as in /proc/PID/stat: with pid and boot it names one process
  Word boot_id;         // first 64 bits of the machine's boot id
  Word time_namespace;  // inode number of the namespace whose monotonic clock the heartbeat was read from
  // The byte of the segment's file (kLifeLocks) that the owner's process holds a lock on for as long as it has the
  // segment's memory. No two processes ever have the same.
  //   written by  the owner, before the tenure says `attached`;  read by  recovery;  crash  the kernel drops the lock
  Word life;
  Word name[kNameBytes / 8];  // UTF-8, padded with zero bytes
  Word skipped;               // reader: messages left out by skip_to_newest(); only its owner writes it
  Word reserved_tail[7];
};
static_assert(sizeof(ParticipantSlot) == 448);
static_assert(offsetof(ParticipantSlot, revoked) == 64 && offsetof(ParticipantSlot, records) == 128);
static_assert(offsetof(ParticipantSlot, tenure) == 256);

}  // namespace sapbuf::layout
