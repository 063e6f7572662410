// Taking back what the dead held.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/segment.hpp>

SAPBUF_BEGIN

// Of a stream: writer, reader; of a pool: user; of a map: viewer (MapReader), editor (MapWriter); of a queue: producer, consumer;
// of a cell: viewer (Cell<const T>), editor.
enum class Role : std::uint8_t {
  none = 0,
  writer = 1,
  reader = 2,
  user = 3,
  viewer = 4,
  editor = 5,
  producer = 6,
  consumer = 7,
};
std::string_view to_string(Role role) noexcept;

// One participant whose death was proved and whose things were taken back.
struct DeadParticipant {
  std::uint32_t slot = 0;
  Role role = Role::none;
  std::string facility;  // name of the stream, pool, map, queue or cell that it took part in
  std::string name;
  std::int32_t pid = 0;
  // "ofd-lock-free": the kernel dropped its liveness lock; "process-ended": no thread of its process will ever run its
  // program again, although the kernel is not done with it
  std::string proof;
  // What it kept from being reclaimed, or was still writing into; of a pool's user, the numbers of its buffers, from 1.
  std::vector<std::uint64_t> held_generations;
  std::uint64_t held_bytes = 0;  // of these slabs, or buffers
  std::uint64_t repairs = 0;     // what was brought to an end for it: in a stream, holes, busy frames, open extents
  std::uint64_t repaired_bytes = 0;
  std::uint64_t heartbeat_age_ms = 0;  // since its last sign of progress
};

struct RecoveryReport {
  std::vector<DeadParticipant> dead;
  std::uint32_t released = 0;  // sealed slabs, and buffers of pools, that nobody holds any more
  // Something is left for the next call: a live participant is in the middle of a step that recovery must let it
  // finish, or holds the maintenance lock; or this process cannot ask the locks any more, since somebody closed its
  // descriptors. Never an error.
  bool pending = false;
  // Dead participants of facilities that this library does not know: a newer one must take back what they held.
  std::uint32_t left_alone = 0;
};

// Repairs and releases what dead participants held. Any process may call it at any time, any number of them at once;
// killing it half-way is one more death for the next caller. Takes microseconds when nobody died. Never blocks for more
// than a few milliseconds. Throws Errc::forked, Errc::corrupt, or Errc::resource_exhausted; what is wrong with one facility
// keeps nobody from the others, and is thrown when those are settled.
RecoveryReport recover(const Segment& segment);

// The same without changing anything: who is dead, and what a recovery would take back from them. `released` are
// those that nobody would hold any more; nothing is repaired, so `repairs` and `repaired_bytes` stay 0.
RecoveryReport find_dead(const Segment& segment);

SAPBUF_END
