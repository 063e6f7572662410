// What a pool looks like now: see inspect/snapshot.cpp.
#pragma once

#include <sapbuf/inspect.hpp>

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

PoolSnapshot look_at_pool(PoolCore& pool);
// `users` are the pool's own.
void look_at_users(PoolCore& pool, std::vector<ParticipantSnapshot>& users, PoolSnapshot& snapshot);

}  // namespace SAPBUF_DETAIL
