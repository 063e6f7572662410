// The buffers of pools that are attached to the messages of one slab: an array beside the slab, whose entries are roots.
//
//   + count, a line of its own   + (attachments + participants) x 16
//   +----------------------------+-------+-------+-----
//   | AttachedBuffers            | entry | entry | ...
//   +----------------------------+-------+-------+-----
//
// The header of a message has the *place* of its first entry: its index in the array, plus one. Each entry leads to the
// next one of its reservation, which has a higher place; those of one message stand behind each other.
//
//   nothing -> claimed        a writer with a reservation open in the slab: compare-exchange on `count`
//   claimed -> a root         the same, before the message is committed
//   a root -> nothing         a writer that aborts; cleaning, under the stream's lock
//
// From `attachments` entries on the array is full, and no more reservations are made in the slab. Those that are open by
// then may still take one entry each, which is what the last part is for.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/pool_word.hpp>

namespace sapbuf::layout {

//   63           32 31     30            13 12            0
//   +--------------+------+----------------+--------------+
//   |    pool      | ends |       0        |  next place  |
//   +--------------+------+----------------+--------------+
//     as in a reference     of its message   0: none
struct AttachedLink {
  std::uint64_t word = 0;

  static constexpr AttachedLink make(std::uint32_t pool, std::uint32_t next, bool ends_message) noexcept {
    return {std::uint64_t{pool} << 32 | std::uint64_t{ends_message} << 31 | next};
  }
  constexpr std::uint32_t pool() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
  constexpr bool ends_message() const noexcept { return (word >> 31 & 1) != 0; }
  constexpr std::uint32_t next() const noexcept { return static_cast<std::uint32_t>(bits(word, 0, 13)); }
};

struct AttachedBuffer {
  // AttachedLink.
  //   written by  the writer that claimed the entry; cleaning, under the stream's lock
  //   read by     the same; readers of the message; scans
  //   edge        root, frame-publish: before the root, and before the message's header
  //   crash       a word of an entry that no message leads to
  Word link;
  // Root: keeps the buffer for as long as the message can be read. 0: claimed only, or let go.
  //   written by  the writer that claimed the entry; cleaning, under the stream's lock
  //   read by     readers of the message; scans
  //   edge        root (SB), pool-share: as PoolSlot::roots;  attached: release <-> the scan's acquire
  //   crash       before the commit: the buffer is kept until the slab is reclaimed
  Word root;
};

struct alignas(kLineBytes) AttachedBuffers {
  // Entries that are claimed.
  //   written by  writers with a reservation open in the slab: compare-exchange;  cleaning, under the stream's lock
  //   read by     the same; whoever looks for room in the slab, to whom it is a hint; readers, scans, inspect
  //   edge        root: before the entry's root;  life: 0, and the entries with it, before the slab is claimed again
  //   crash       of a writer: an entry without a root;  of a cleaner: the next one cleans them once more
  Word count;
  Word reserved[7];
};

inline constexpr Field kAttachedBufferFields[] = {SAPBUF_FIELD(AttachedBuffer, link),
                                                  SAPBUF_FIELD(AttachedBuffer, root)};
inline constexpr Field kAttachedBuffersFields[] = {SAPBUF_FIELD(AttachedBuffers, count),
                                                   SAPBUF_FIELD(AttachedBuffers, reserved)};
static_assert(sizeof(AttachedBuffer) == 16 && covers(kAttachedBufferFields, sizeof(AttachedBuffer)));
static_assert(sizeof(AttachedBuffers) == 64 && covers(kAttachedBuffersFields, sizeof(AttachedBuffers)));

inline constexpr std::uint32_t kMaxAttachedPlaces = (1u << 13) - 1;  // that a header or a link can name
inline constexpr std::uint32_t kMaxAttachments = kMaxAttachedPlaces - kMaxParticipants;  // of a slab, before it is full

}  // namespace sapbuf::layout
