// A segment with a pool for one test, and what the tests of pools do again and again.
#pragma once

#include <csignal>
#include <functional>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"

namespace sapbuf::test {

struct PoolFixture {
  explicit PoolFixture(const PoolOptions& options = {.buffer_bytes = 64, .count = 16})
      : segment(Segment::create(name, {.slab_bytes = 16384, .participants = 8})),
        pool(Pool::create(segment, "frames", options)) {}

  // In another process.
  Pool open_again() const { return Pool::open(Segment::open(name), "frames"); }

  TestName name;
  Segment segment;
  Pool pool;
};

// Another process does `act` with the pool, and is killed at the `nth` kill point that it comes to. False: it came to its
// end before.
inline bool is_killed_at(unsigned nth, const PoolFixture& fixture, const std::function<void(const Pool&)>& act) {
  Child victim{[&](Link&) {
    const Pool own = fixture.open_again();
    kill_point::arm(KillPoint::any, kill_self, nth);
    act(own);
  }};
  return victim.wait() == -SIGKILL;
}

// For is_killed_at().
inline void recover_segment_of(const Pool& pool) { recover(pool.segment()); }

inline std::vector<Buffer> take_all(PoolUser& user) {
  std::vector<Buffer> all;
  for (;;) {
    Buffer buffer = user.acquire();
    if (!buffer) return all;
    all.push_back(std::move(buffer));
  }
}

// How many buffers one user can have: all of them, unless some leaked or are somebody's.
inline std::size_t count_acquirable(const Pool& pool) {
  PoolUser user{pool};
  return take_all(user).size();
}

}  // namespace sapbuf::test
