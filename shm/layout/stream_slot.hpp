// What others must know of one writer or reader of a stream: an array in the stream's region, by the participant's slot.
//
//   line 0       hot          only the owner writes (and repair, once the owner is dead)
//   line 1       revoked      of a writer, only others write; the owner reads it at every reserve
//   line 2, 3    ledger       two records, selected by the progress word
#pragma once

#include <sapbuf/layout/ledger.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kNoHold = ~std::uint64_t{0};

struct alignas(kLineBytes) StreamSlot {
  // Writer: `busy` while a reservation is open, and the messages committed since the selected record.
  //   written by  the owner; repair, once the owner is dead
  //   read by     a closer, repair, inspect
  //   edge        close: light fence in reserve <-> heavy fence of the closer
  //   crash       busy stays set: repair finds out from the frames whether the reservation was committed
  Word progress;
  // Writer: announced before each fetch_add on the cursor, located once the claim has left its trace.
  //   written by  the owner; repair, once the owner is dead
  //   read by     repair, closers, readers that look for gaps
  //   edge        announce: the store is before the fetch_add <-> repair, closers and readers read the cursor, then
  //               this word; each store releases the trace of the claim before
  //   crash       stays `claiming`: repair looks for a hole after the grace period
  Word claim;
  // Writer, total order: of the located claim, which may hold a batch of messages.
  //   written by  the owner
  //   read by     repair, and readers that look for gaps
  //   edge        gap: stored before the claim is located; a reader that meets a later claim's sees the frame before
  //   crash       repair counts the messages in so many bytes
  Word claimed_bytes;
  // Lossless reader: every generation from here on is kept for it; kNoHold otherwise. Only ever rises.
  //   written by  the owner, and whoever settles it
  //   read by     whoever reclaims
  //   edge        hold-release: release by the reader after its last read <-> acquire by whoever reclaims
  //   crash       keeps its slabs until recovery
  Word hold;
  // Reader: bit s while a pinned range may show frames of slab s. In `overwrite` streams it keeps the slab; elsewhere
  // the hold does, and this only tells people.
  //   written by  the owner, and whoever settles it
  //   read by     whoever reclaims, inspect
  //   edge        pin: seq_cst store, then the slab's state is read <-> the state is stored, then pins are read
  //   crash       keeps its slabs until recovery
  Word pins;
  // Reader: messages of ranges that were unpinned; overwritten before it came to them; left out by skip_to_newest().
  //   written by  the owner
  //   read by     whoever settles it, inspect
  //   edge        none: whoever settles it does so behind the owner's death, or his leaving
  //   crash       they count as they stand
  Word delivered;
  Word lost;
  Word skipped;

  // Writer: "no extent of this generation or of an older one is yours any more". Only ever rises. All ones: recovery
  // settled the slot, so whoever still uses it was taken for dead; stays so until somebody else attaches there.
  //   written by  a closer, or recovery, under the stream's lock; the owner, if it is closed while it is busy
  //   read by     the owner and closers;  edge  revoked: release, after the cursor left the generation
  //   crash       harmless
  alignas(kLineBytes) Word revoked;
  // Reader: messages committed in all generations before its first one, plus one; 0 if nobody counted them.
  //   written by  the reader, before its registration; one that goes on in another's place, also behind that
  //   read by     the reader
  //   edge        registry
  //   crash       harmless
  Word base_messages;
  // The incarnation of this slot that the departed totals include although they name somebody else as added last.
  //   written by  whoever adds the next one, under the stream's lock
  //   read by     whoever settles this slot, under it
  //   edge        the lock
  //   crash       harmless: it says what the departed record that is still selected says too
  Word counted;
  // Reader: how far it has come, for those who ask how far it is behind (stream/reader_progress.hpp). `front` is the oldest
  // generation that it has not finished; 0: the two words behind it do not count, they are being written. Of what it has
  // gone over (delivered + skipped; read_bytes), modulo 2^64, they say how much is not in generations from `front` on.
  //   written by  the owner
  //   read by     inspect
  //   edge        front: release, behind the two words <-> acquire; and the same once more behind a look at them
  //   crash       of its owner: as they stand, or unknown
  Word front;
  Word messages_before_front;
  Word bytes_before_front;
  Word read_bytes;  // payload of the messages delivered or skipped
  Word reserved_for_others[1];

  LedgerRecord records[2];
};

inline constexpr Field kStreamSlotFields[] = {SAPBUF_FIELD(StreamSlot, progress),
                                              SAPBUF_FIELD(StreamSlot, claim),
                                              SAPBUF_FIELD(StreamSlot, claimed_bytes),
                                              SAPBUF_FIELD(StreamSlot, hold),
                                              SAPBUF_FIELD(StreamSlot, pins),
                                              SAPBUF_FIELD(StreamSlot, delivered),
                                              SAPBUF_FIELD(StreamSlot, lost),
                                              SAPBUF_FIELD(StreamSlot, skipped),
                                              SAPBUF_FIELD(StreamSlot, revoked),
                                              SAPBUF_FIELD(StreamSlot, base_messages),
                                              SAPBUF_FIELD(StreamSlot, counted),
                                              SAPBUF_FIELD(StreamSlot, front),
                                              SAPBUF_FIELD(StreamSlot, messages_before_front),
                                              SAPBUF_FIELD(StreamSlot, bytes_before_front),
                                              SAPBUF_FIELD(StreamSlot, read_bytes),
                                              SAPBUF_FIELD(StreamSlot, reserved_for_others),
                                              SAPBUF_FIELD(StreamSlot, records)};
static_assert(sizeof(StreamSlot) == 256 && covers(kStreamSlotFields, sizeof(StreamSlot)));
static_assert(offsetof(StreamSlot, revoked) == 64 && offsetof(StreamSlot, records) == 128);

}  // namespace sapbuf::layout
