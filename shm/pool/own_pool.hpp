// For facilities that stand on a pool: one that they make for themselves, which goes with them, or another one of the
// segment.
//
//   killed between such a pool and its facility    (left) a pool that nobody uses: whoever makes the facility next takes
//                                                  it, or makes it anew if it is not as he needs it
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "segment/directory.hpp"

namespace sapbuf::inline SAPBUF_ABI {
struct PoolOptions;
}

namespace SAPBUF_DETAIL {

// Throws Error (invalid_argument): it would be too long.
std::string own_pool_name(std::string_view facility, std::string_view suffix);
// The pool of that name that is there, if it is as these options ask for, or else a new one. Several who make the same
// facility at once so have the same pool; one of them makes the facility. Throws Error: busy, no_space, invalid_argument.
DirectoryRecord make_own_pool(SegmentCore& segment, const std::string& name, const PoolOptions& options);
// Makes a facility by `make(pool)`, on that pool; anew where somebody removed the pool meanwhile. A facility that cannot
// be made takes its pool with it. Throws what `make` throws, and as make_own_pool().
void make_on_own_pool(SegmentCore& segment, const std::string& name, const PoolOptions& options,
                      const std::function<void(const DirectoryRecord& pool)>& make);
// Behind the removal of its facility: where nobody needs it, or uses it, any more.
void remove_own_pool(SegmentCore& segment, const std::string& name);
// Another one. Throws Error (not_found).
DirectoryRecord find_pool_for(SegmentCore& segment, const std::string& name);

}  // namespace SAPBUF_DETAIL
