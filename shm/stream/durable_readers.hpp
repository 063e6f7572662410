// The records of durable readers: who has one, and what is kept for those who are away. All under the stream's lock, but
// for looks that are hints.
//
//   attach   a record of that name, or a free one: state = making -> owner = the reader -> (it is attached) -> the tables say
//            where it begins (stream/durable_position.hpp) -> state = named
//   leave    hold = the reader's own -> since when, and on whose clock -> owner = none -> (the reader's own hold goes)
//
//   killed while attaching   the record is free still, or names one that nobody has: as if he had not come
//   killed while leaving, or while settling one who left: it is settled once more; until `owner` is none, the reader's own
//                            hold counts, and it is there
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/stream.hpp>

#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

// Throws Errc::invalid_argument where the options cannot work in this stream.
void check_durable(const StreamCore& core, const ReaderOptions& options);

std::optional<std::uint32_t> find_durable(StreamCore& core, std::string_view name);

// Whether the record of this name, or what could be one, has a reader that recovery has yet to settle.
bool is_kept_by_unsettled(StreamCore& core, std::string_view name);

// The record of this name for the reader that is attaching in that slot, made where there is none. Throws Errc::busy if
// another reader has it, Errc::registry_full if there is no room for one more.
std::uint32_t take_durable(StreamCore& core, const ReaderOptions& options, std::uint32_t slot,
                           std::uint64_t incarnation);

// Of one that was made by take_durable(): its tables say where it begins. Without the lock.
void name_durable(StreamCore& core, std::uint32_t index) noexcept;

// The reader of that slot is about to be settled.
void leave_durable(StreamCore& core, std::uint32_t slot) noexcept;

// Whether a durable reader keeps that generation, and no live reader does: one that is away, or whose reader is about to be
// settled. Without the lock it is a hint.
bool keeps_durably(StreamCore& core, std::uint64_t generation) noexcept;

// When the next one that is away will have been so for too long, on the monotonic clock; the end of time if none will. Nobody
// tells of it: who waits for room without looking, looks then.
std::uint64_t next_given_up_ns(StreamCore& core) noexcept;

// False if there is none of that name. Throws Errc::busy if a reader has it.
bool remove_durable(StreamCore& core, std::string_view name);

enum class CountBehind : bool { no, yes };  // it walks over frames
// All that are named. Without the lock: each of them as it was, or as it becomes.
std::vector<DurableReaderInfo> list_durable(StreamCore& core, CountBehind count_behind);
// The names of those that are away, and keep that generation.
std::vector<std::string> list_keepers_away(StreamCore& core, std::uint64_t generation);

// Whether somebody may come and go on with it: it is no half of one.
bool is_named(StreamCore& core, std::uint32_t index) noexcept;
// The reader that has the record, if one has.
std::optional<std::uint32_t> reader_of(StreamCore& core, std::uint32_t index) noexcept;
// Of one that is away. Nothing where that cannot be said, on the clock of another time namespace.
std::optional<std::uint64_t> away_ns(StreamCore& core, std::uint32_t index) noexcept;

}  // namespace SAPBUF_DETAIL
