// The words of a stream that all its participants share. One subject per cache line, so that nothing that is written
// often lies beside something that is read often.
#pragma once

#include <sapbuf/layout/cursor.hpp>
#include <sapbuf/layout/event.hpp>
#include <sapbuf/layout/ledger.hpp>

namespace sapbuf::layout {

struct alignas(kLineBytes) StreamControl {
  // Where the next claim goes.
  //   written by  claimers: fetch_add;  flippers: compare-exchange, under the stream's lock
  //   read by     readers, repair, closers, whoever looks for room
  //   edge        claim: acq_rel, fetch_add <-> the flipper's compare-exchange on the same word
  //   crash       of a claimer: a hole below it, which repair closes
  alignas(kLineBytes) Word cursor;
  Word reserved_behind_cursor[7];

  alignas(kLineBytes) Event data;   // something was committed
  alignas(kLineBytes) Event space;  // something was released: a hold, a slab, an extent

  // Every generation up to this one is closed.
  //   written by  closers, under the stream's lock
  //   read by     closers, reclaimers, attaching readers: under it; writers, to whom it is a hint; inspect
  //   edge        the lock; release, for inspect
  //   crash       before it: the generation is closed once more, with the same outcome
  alignas(kLineBytes) Word closed_through;
  // 1 once a reader has attached; only ever rises. What StreamOptions::retain waits for.
  //   written by  a reader that has just attached, under the stream's lock
  //   read by     whoever reclaims, inspect
  //   edge        retain: release, behind the reader's hold <-> acquire
  //   crash       between attaching and this: the dead reader does not count, and the next one says it
  Word reader_came;
  // Its lowest bit: which of the two departed records counts; it grows by one.
  //   written by  whoever settles a slot, under the stream's lock
  //   read by     whoever settles the next one, inspect
  //   edge        departed-switch: release, behind the record <-> acquire
  //   crash       before it: the record is written once more
  Word departed_selector;
  // Writers that said that no more comes from them; only rises.
  //   written by  a writer that finishes: fetch_add, behind its last message, before it detaches
  //   read by     readers that wait for the end, inspect
  //   edge        finish: release <-> acquire, before the look at the registry and the last look for messages
  //   crash       before it: nothing was said
  Word finished_writers;
  Word reserved[4];
  DepartedRecord departed[2];
};

inline constexpr Field kStreamControlFields[] = {SAPBUF_FIELD(StreamControl, cursor),
                                                 SAPBUF_FIELD(StreamControl, reserved_behind_cursor),
                                                 SAPBUF_FIELD(StreamControl, data),
                                                 SAPBUF_FIELD(StreamControl, space),
                                                 SAPBUF_FIELD(StreamControl, closed_through),
                                                 SAPBUF_FIELD(StreamControl, reader_came),
                                                 SAPBUF_FIELD(StreamControl, departed_selector),
                                                 SAPBUF_FIELD(StreamControl, finished_writers),
                                                 SAPBUF_FIELD(StreamControl, reserved),
                                                 SAPBUF_FIELD(StreamControl, departed)};
static_assert(covers(kStreamControlFields, sizeof(StreamControl)));
static_assert(offsetof(StreamControl, data) == 64 && offsetof(StreamControl, space) == 128 &&
              offsetof(StreamControl, closed_through) == 192);

}  // namespace sapbuf::layout
