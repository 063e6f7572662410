// What hot calls return instead of throwing.
#pragma once

#include <cstdint>
#include <string_view>

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

// clang-format off: it takes the attribute for the beginning of a list.
enum class [[nodiscard]] Status : std::uint8_t{
    ok = 0,
    full,              // no slab could be had: dropped (policies drop and overwrite; counted in the ledger). Of a map:
                       // it has as many keys as it can. Of a queue: all its slots wait to be taken
    timeout,           // a wait lasted as long as it may: a stream's writer's for a slab (policy block; counted as
                       // dropped), and those for a buffer, a key, a queue's room or blocks
    stopped,           // the participant's `stop` ended a wait; nothing was counted, and the call may be repeated
    would_deadlock,    // policy block: a range that this very thread has pinned keeps the space that it would wait for;
                       // nothing was counted, and the call may be repeated once the range has gone
    too_large,         // it can never fit: a message a slab of this stream, a buffer the pool, a key or a value the
                       // map, bytes a block of the queue; nothing was counted
    already_reserved,  // this writer still has a reservation open: commit or abort it first. Of a map's: it is in the
                       // middle of its own update()
    exhausted,         // a pool has no free buffer, and may not grow, or cannot; or this process has no memory now, or
                       // no addresses for what is there
    over_budget,       // this participant has as many as it may, or can: a pool's user buffers, or shared ones; a
                       // map's reader values; a transaction keys
    stale,             // what a reference names was freed, or is in another pool
    other_segment,     // a buffer was to be attached to a message in another segment than its own
    attachments_full,  // the message's slab has as many attached buffers as it can: abort, and reserve anew
    not_found,         // the map has no such key; the queue has nothing to be taken
    exists,            // the map has the key already
    version_changed,   // flip_if: the key has another version by now
    not_alone,         // a block that other groups of the queue get, too, cannot be passed on
    overtaken,         // a map's values were replaced, and freed, before they could be kept, many times in a row
    closed,            // the handle was moved from or closed; or nothing is there (any more): committed, released
    forked,            // the handle was inherited through fork and belongs to the parent: make a new one in the child
    corrupt,           // the segment's bytes contradict themselves
    // Others took this participant for dead and took back what it held: what it wrote last may be lost. Make a new one.
    // It takes more than a stray close() to come to this: something unmapped memory of the library's, say.
    declared_dead,
};
// clang-format on

std::string_view to_string(Status status) noexcept;

SAPBUF_END
