// A writer, inside the library.
#pragma once

#include <sapbuf/writer.hpp>

#include "segment/event_fd.hpp"
#include "segment/registry.hpp"
#include "stream/clearing.hpp"
#include "stream/extents.hpp"
#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

struct WriterState final : ForkHook {
  WriterState(std::shared_ptr<StreamCore> stream, const WriterOptions& options);
  ~WriterState();

  void after_fork_in_child() noexcept override;

  // Whether the Writer goes on by itself inside an extent; where not, it never sees one: see WriterHot.
  bool is_inlined() const noexcept { return !total && !full_fences && alignment == layout::kUnitBytes; }
  bool has_extent() const noexcept { return end != nullptr; }
  std::uint64_t progress_without_busy() const noexcept {
    return slot->progress.load(std::memory_order_relaxed) & ~layout::Progress::kBusy;
  }
  std::uint32_t slab_of(const std::byte* header) const noexcept {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(header - slabs) / core->geometry().slab_bytes);
  }
  // Forgets the extent without touching it.
  void drop_extent() noexcept {
    next = end = nullptr;
    leaves_slab = false;
  }

  const std::shared_ptr<StreamCore> core;
  const std::chrono::milliseconds timeout;
  const std::atomic<bool>* const stop;
  layout::Word& cursor;
  std::byte* const slabs;  // mapped for writing
  const std::uint64_t max_payload_bytes;
  const std::uint64_t alignment;     // of payloads
  Attachment attachment;             // the slot; given back when this goes
  std::uint32_t index = 0;           // of the slot
  std::uint64_t claim_sequence = 0;  // of the last announcement
  std::uint64_t recovery_tried_ns = 0;
  std::unique_ptr<EventFd> event_fd;  // null until somebody asks for it
  std::uint64_t deadline_ns = 0;      // of the call in hand; 0 until it is needed, for it takes a look at the clock
  layout::StreamSlot* slot = nullptr;
  layout::Event* data = nullptr;
  bool full_fences = false;
  bool total = false;

  // Per-writer order: the extent, as in WriterHot; the Writer's own `next` runs ahead between two calls. `end` is null
  // without an extent, and for nothing else.
  std::byte* next = nullptr;
  std::byte* end = nullptr;
  std::uint64_t generation = 0;
  ExtentLocation extent;            // while there is one
  bool leaves_slab = false;         // the next reservation is not made in this extent: see attach.cpp
  std::byte* extent_end = nullptr;  // of the last extent, also when it is closed
  Clearing clearing;
  std::uint64_t claim_bytes;        // what the next claim aims at: see extent_size.hpp
  std::uint64_t reserved_span = 0;  // total order: of the open frame
  std::uint32_t last_attached = 0;  // place of the buffer that was attached last, in the open reservation
  // Total order: where the cursor was when this writer last saw it, in bytes. At first the slab's end, so that a writer
  // that never saw it looks before it adds: otherwise one after another could push the cursor on in a full slab.
  std::uint64_t seen_offset;
  std::uint32_t seen_slab = 0;  // and in which slab
  bool closed = false;          // by its Writer, while a reservation was open
  bool forked = false;
};

}  // namespace SAPBUF_DETAIL
