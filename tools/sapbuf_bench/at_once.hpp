// The same work in several processes at once.
#pragma once

#include <functional>

#include "hand_over.hpp"

namespace sapbuf::bench {

// What each process runs, counted from 0: it calls `ready` when it has opened what it needs.
using Work = std::function<void(unsigned process, const Ready& ready)>;

// Each process is pinned to the next core; none where there are not enough for all. Seconds from when all are ready until
// the last one is done. Throws if one fails.
double at_once(unsigned processes, const Work& work);

}  // namespace sapbuf::bench
