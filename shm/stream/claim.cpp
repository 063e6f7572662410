#include "stream/claim.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "segment/event.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/extent_size.hpp"
#include "stream/flip_ahead.hpp"
#include "stream/space_wait.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;
using layout::Cursor;
using layout::FrameHeader;
using layout::FrameKind;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

constexpr std::size_t kPrefetchBytes = 640;

// What a claim got: room for all of it, part of it at the slab's end, or nothing.
struct Room {
  std::uint64_t generation = 0;
  std::uint32_t slab = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // up to the slab's end; 0: the slab was full
};

void announce(WriterState& writer) noexcept {
  // announce: release. The fetch_add that follows would release it for those who come by the cursor; repair and closers
  // look at this word alone, and take its change for a sign that the claim before has left its trace.
  writer.slot->claim.store(Claim::claiming(++writer.claim_sequence).word, std::memory_order_release);
}

void withdraw(WriterState& writer) noexcept { writer.slot->claim.store(0, std::memory_order_release); }

// False: the cursor points nowhere.
[[gnu::always_inline]] inline bool take(WriterState& writer, std::uint64_t bytes, Room& room) noexcept {
  StreamCore& core = *writer.core;
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  // claim: acquire, so that the new generation's descriptor is seen; release, so that the announcement is seen before
  // it.
  const Cursor cursor{writer.cursor.fetch_add(bytes / layout::kUnitBytes, std::memory_order_acq_rel)};
  SAPBUF_KILL_POINT(claim_taken);
  room = {.slab = cursor.slab(), .offset = cursor.offset_bytes()};
  if (room.offset >= slab_bytes) return true;
  if (room.slab >= core.geometry().slabs) return false;
  room.bytes = std::min(bytes, slab_bytes - room.offset);
  // The slab cannot be given another generation while this claim has left no trace.
  room.generation = layout::SlabLife{core.descriptor(room.slab).life.load(std::memory_order_acquire)}.generation();
  return cursor.is_in(room.generation);
}

// Total order: whether what the writer saw last, of a cursor in a slab, has room.
bool saw_room(const WriterState& writer, std::uint64_t span) noexcept {
  StreamCore& core = *writer.core;
  return writer.seen_offset + span <= core.geometry().slab_bytes &&
         !is_array_full(core.geometry(), core.attached(writer.seen_slab));
}

// False: the cursor points nowhere.
bool look_at_cursor(WriterState& writer) noexcept {
  const Cursor cursor{writer.cursor.load(relaxed)};
  if (cursor.slab() >= writer.core->geometry().slabs) return false;
  writer.seen_offset = cursor.offset_bytes();
  writer.seen_slab = cursor.slab();
  return true;
}

// Total order: makes filler of a claim that ran over the slab's end. Readers that sleep in front of it are told, for what
// others commit in the next slab can be read from then on.
[[gnu::cold, gnu::noinline]] void fill_to_end_of_slab(WriterState& writer, const Room& room) noexcept {
  word_at(writer.slabs + room.slab * writer.core->geometry().slab_bytes + room.offset)
      .store(FrameHeader::nop(room.bytes).word, std::memory_order_release);
  notify(*writer.data);
}

}  // namespace

Status claim_extent(WriterState& writer, std::uint64_t span) noexcept {
  StreamCore& core = *writer.core;
  const std::uint64_t granule_bytes = core.geometry().granule_bytes;
  const std::uint64_t least = least_extent_for(core.geometry(), span);
  Room room;
  for (;;) {
    std::uint64_t bytes = wanted_bytes(writer, span);
    const Status status = look_for_room(writer, least, bytes);
    if (status != Status::ok) return status;
    announce(writer);
    SAPBUF_KILL_POINT(claim_announced);
    if (!take(writer, bytes, room)) {
      withdraw(writer);
      return Status::corrupt;
    }
    if (room.bytes >= least) break;
    // Others were faster: what little there was at the slab's end is of no use.
    if (room.bytes != 0) close_hole(core, {room.slab, room.offset / granule_bytes}, room.bytes / granule_bytes);
    withdraw(writer);
  }
  writer.extent = {room.slab, room.offset / granule_bytes};
  std::byte* const first = open_extent(core, writer.extent, room.bytes / granule_bytes, writer.index);
  SAPBUF_KILL_POINT(claim_opened);
  writer.next = first;
  writer.extent_end = first - core.geometry().first_header_at() + room.bytes;
  writer.end = writer.extent_end - layout::kExtentTailBytes;
  writer.generation = room.generation;
  writer.slot->claim.store(Claim::located(room.generation, room.slab, room.offset).word, std::memory_order_release);
  aim_higher_after_claim(writer);
  writer.core->beat(writer.index);
  if (is_time_to_close(core, room.offset, room.offset + room.bytes)) [[unlikely]]
    close_ahead(core, room.generation);
  return Status::ok;
}

std::byte* claim_frame(WriterState& writer, std::uint64_t span, Status& status) noexcept {
  StreamCore& core = *writer.core;
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  // The announcement replaces the place of the last message before the writer is busy, so that repair cannot take that
  // message for this one. Release keeps the two stores in this order.
  announce(writer);
  SAPBUF_KILL_POINT(claim_announced);
  writer.slot->progress.store(writer.slot->progress.load(relaxed) | layout::Progress::kBusy, std::memory_order_release);
  Room room;
  for (;;) {
    // The last claim was a look, too: a writer alone need not read the line that the next one is going to write. Who
    // went past the slab's end looks anew, so each participant does so once at the most.
    if (!saw_room(writer, span) && !(look_at_cursor(writer) && saw_room(writer, span))) [[unlikely]] {
      withdraw(writer);
      std::uint64_t bytes = span;
      status = look_for_room(writer, span, bytes);
      if (status != Status::ok) return nullptr;
      announce(writer);
    }
    if (!take(writer, span, room)) {
      withdraw(writer);
      status = Status::corrupt;
      return nullptr;
    }
    writer.seen_offset = room.offset + span;
    if (room.bytes != 0) writer.seen_slab = room.slab;  // otherwise it looks anew
    if (room.bytes == span) [[likely]]
      break;
    if (room.bytes != 0) fill_to_end_of_slab(writer, room);
    announce(writer);
  }
  std::byte* const header = writer.slabs + room.slab * slab_bytes + room.offset;
  // The lines ahead were last written by whoever cleaned the slab, and the next fetch_add waits for every store before
  // it: ask for them now.
  __builtin_prefetch(header + kPrefetchBytes, 1);
  word_at(header).store(FrameHeader::make(FrameKind::busy, span - layout::kUnitBytes, 0, writer.index).word, relaxed);
  // gap: release, so that who takes it for the length of the claim before sees how that one ended.
  writer.slot->claimed_bytes.store(span, std::memory_order_release);
  SAPBUF_KILL_POINT(claim_busy);
  // announce: release, so that who sees the place sees the busy header, and how far it goes.
  writer.slot->claim.store(Claim::located(room.generation, room.slab, room.offset).word, std::memory_order_release);
  if ((writer.claim_sequence & 0xff) == 0) core.beat(writer.index);
  if (is_time_to_clean(core, room.offset, room.offset + room.bytes)) [[unlikely]]
    clean_ahead(core);
  return header;
}

}  // namespace SAPBUF_DETAIL
