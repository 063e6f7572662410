// The choices a user makes. All are aggregates for designated initialisers: SegmentOptions{.slabs = 4, .slab_bytes = 1
// << 20}.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <sapbuf/duration.hpp>
#include <sapbuf/layout/policy.hpp>

namespace sapbuf {

struct StreamOptions {
  std::uint32_t slabs = 2;             // 2 to 64
  std::uint64_t slab_bytes = 1 << 20;  // 4 KiB to 4 GiB, a multiple of 4096
  Order order = Order::per_writer;
  std::uint64_t extent_bytes =
      0;  // per-writer order: a divisor of slab_bytes; 0: 16 KiB, or a quarter of a smaller slab
  OnFull on_full = OnFull::block;
  // Policy block: nothing is reclaimed before a first reader has attached; until then, writers wait where the stream is
  // full. What that reader leaves unread when it goes is kept no longer than in other streams.
  bool retain = false;
  // Buffers of pools that may be attached to the messages of one slab, 1 to 7167: then the stream goes on to the next
  // slab. Each takes 16 bytes. 0: one for each KiB, 16 at the least.
  std::uint32_t attachments = 0;
};

// The stream that a segment is made with.
inline constexpr std::string_view kMainStream = "main";

// What concerns all of a segment, and the options of the stream that it is made with, as in StreamOptions.
struct SegmentOptions {
  std::uint32_t slabs = 2;
  std::uint64_t slab_bytes = 1 << 20;
  Order order = Order::per_writer;
  std::uint64_t extent_bytes = 0;
  OnFull on_full = OnFull::block;
  std::uint32_t participants = 64;  // handles of all its facilities, attached at once, 1 to 1024
  unsigned mode = 0600;             // permissions of the shared-memory object
  Fences fences = Fences::membarrier;
  bool retain = false;
  bool main_stream = true;  // false: it is made without a stream, and the options of one say nothing
  std::uint32_t attachments = 0;

  // Those of its stream.
  constexpr StreamOptions stream() const noexcept {
    return {.slabs = slabs,
            .slab_bytes = slab_bytes,
            .order = order,
            .extent_bytes = extent_bytes,
            .on_full = on_full,
            .retain = retain,
            .attachments = attachments};
  }
};

inline constexpr std::chrono::milliseconds kForever = std::chrono::milliseconds::max();

struct WriterOptions {
  std::string name{};  // for people; 63 bytes are kept. Empty: the program's name and pid
  // Policy block: how long reserve() may wait for space. Any duration; 0 or less: not at all.
  Milliseconds timeout = kForever;
  // Policy block: a wait for space ends within milliseconds once this becomes true (set by a signal handler, say), with
  // Status::stopped. Must outlive the writer; null: nothing stops a wait.
  const std::atomic<bool>* stop = nullptr;
};

enum class From : std::uint8_t {
  oldest,  // everything that still stands in the segment
  // Only what is committed after the reader attached. In total order also what stands behind a frame that is still open
  // then.
  newest,
};

// How long a frame that a range hands out stays where it is, in streams that overwrite. In other streams the reader's
// hold keeps all that it has not left, and frames always stay as long as their range.
enum class Keep : std::uint8_t {
  range,  // as long as the range: every slab with something to read in it is pinned until the range goes
  frame,  // until the iterator goes on: one slab is pinned at a time, however many the range goes through
};

struct ReaderOptions {
  std::string name{};  // for people; 63 bytes are kept. Empty: the program's name and pid
  From from = From::oldest;
  // A wait for messages ends within milliseconds once this becomes true (set by a signal handler, say): wait_for()
  // returns false, unless there is something to read. Must outlive the reader; null: nothing stops a wait.
  const std::atomic<bool>* stop = nullptr;
  Keep keep = Keep::range;
};

}  // namespace sapbuf
