// The index among those who insert and erase: nobody has a lock for it, so each may stop, or die, at any step, and keeps
// nobody from others' keys. tests/model/map_keys.pml is the model.
//
//   who inserts a key                                    who erases one
//   1. says which place it goes for (MapSlot::taking)    1. place: entry -> gone, with a tag that no place had
//   2. place: unused or gone -> entry                    2. full fence
//   3. full fence                                        3. each place around that is gone, and that nobody passes on
//   4. from its place back to the hash's:                   the way to a key: gone -> unused, with the tag that it had
//        unused        it is cut off: 1. of erasing,        before that look
//                      then 1.
//        gone          gets another tag                   All of these by compare-exchange.
//   5. full fence
//   6. from the hash's place on, up to one that is
//      unused behind its own, of the same key:
//        used, or coming and before its own    it withdraws
//        coming, behind its own                is refused: its life is free
//   7. its life: coming -> used, unless it was refused
//
// Behind 4. no place on the way becomes unused for as long as the key is there: what is in use when it is looked at goes
// later, and who then looks behind it comes to the key, for all places between are in use, or gone, for good; what is gone
// has another tag than anybody has looked behind. (From the hash's place on it is not so: places that were looked at
// become unused, those between are taken anew, and he who looks sees no gap.) So of two who insert the same key one at
// least sees the other, behind the fences, and it is the one before who goes on, unless the other one was used by then.
#pragma once

#include <optional>

#include "map/lookup.hpp"

namespace SAPBUF_DETAIL {

// Takes the first place from the key's hash on that is gone or unused, for the entry, which has the key; `taking` says
// which before. Its number; nothing if there is none, which a sound map never has.
std::optional<std::uint64_t> take_place(MapCore& map, const PackedKey& key, std::uint32_t entry,
                                        layout::Word& taking) noexcept;

// Whether everybody who looks for the key comes to its place, for as long as it is there; otherwise it is cut off.
bool is_reached(MapCore& map, const PackedKey& key, std::uint64_t place) noexcept;

// Behind is_reached(): whether somebody else has the key, or is about to: `rival`, where that can be told.
bool has_rival(MapCore& map, const PackedKey& key, std::uint64_t place, std::optional<FoundKey>& rival) noexcept;

// The place that leads to the entry; nothing if there is none. `taking` is what its writer's slot says.
std::optional<std::uint64_t> find_place(const MapCore& map, std::uint32_t entry, std::uint64_t taking) noexcept;

// The place does not lead to the entry any more, where a key of that hash is, or was: it is gone, or unused where nobody
// passes it on the way to another key.
void give_up_place(MapCore& map, std::uint64_t place, std::uint64_t hash, std::uint32_t entry) noexcept;

}  // namespace SAPBUF_DETAIL
