// The choices a user makes. All are aggregates for designated initialisers: SegmentOptions{.slabs = 4, .slab_bytes = 1
// << 20}.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sapbuf/abi.hpp>
#include <sapbuf/duration.hpp>
#include <sapbuf/layout/policy.hpp>

SAPBUF_BEGIN

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
  // Each payload begins at a multiple of it, in every process: 8, 16, 32 or 64. Above 8 a message takes its payload and a
  // header of 8 bytes, rounded up to a multiple of it, and a writer's calls are not inlined.
  std::uint32_t payload_alignment = 8;
  // Durable readers (ReaderOptions::durable) that there is room for, up to 64. Each takes 8 bytes for each granule of a slab
  // (256 B to 1 KiB and more), or, in total order, a few lines.
  std::uint32_t durable_readers = 0;
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
  std::uint32_t payload_alignment = 8;
  std::uint32_t durable_readers = 0;

  // Those of its stream.
  constexpr StreamOptions stream() const noexcept {
    return {.slabs = slabs,
            .slab_bytes = slab_bytes,
            .order = order,
            .extent_bytes = extent_bytes,
            .on_full = on_full,
            .retain = retain,
            .attachments = attachments,
            .payload_alignment = payload_alignment,
            .durable_readers = durable_readers};
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

// What a durable reader may keep from others while it is away, in streams that do not overwrite: as the reader says that came
// last by its name. What goes beyond that is given up when somebody needs it: the reader misses it, and goes on with the oldest message that is there.
struct DurableOptions {
  std::uint64_t max_bytes = 0;       // whole slabs, with the one that is being filled; 0: all that there are
  Milliseconds max_away = kForever;  // since it left, or died
};

struct ReaderOptions {
  // For people; 63 bytes are kept. Empty: the program's name and pid. Of a durable reader it is what it is known by: it has
  // 1 to 63 bytes, and at most one live reader.
  std::string name{};
  From from = From::oldest;
  // A wait for messages ends within milliseconds once this becomes true (set by a signal handler, say): wait_for()
  // returns false, unless there is something to read. Must outlive the reader; null: nothing stops a wait.
  const std::atomic<bool>* stop = nullptr;
  Keep keep = Keep::range;
  // A wait for messages ends also when no more comes: wait_for() returns false, and Reader::is_finished() is true.
  bool until_finished = false;
  // The place that the reader has come to stays in the stream under its name when it detaches or dies, and the next reader
  // that is durable by that name goes on there (`from` then says nothing): every message comes at least once, and once if
  // nobody died. What a reader was killed in the middle of, a range, comes again. Needs room (StreamOptions::durable_readers).
  // Until then the stream keeps for it what it has not read, as far as the options say: see
  // Stream::durable_readers() and remove_durable_reader().
  std::optional<DurableOptions> durable{};
};

SAPBUF_END
