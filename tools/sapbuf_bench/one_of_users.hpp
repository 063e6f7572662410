// The pool as an allocator: see allocators.hpp.
#pragma once

#include <vector>

#include "pool_place.hpp"

namespace sapbuf::bench {

// One user acquires and releases; the others are registered, and do nothing.
class OneOfUsers {
 public:
  OneOfUsers(const Pool& pool, unsigned users) : user_(pool) {
    for (unsigned i = 1; i < users; ++i) others_.emplace_back(pool);
  }
  // As it is where the pool itself is called.
  [[gnu::always_inline]] Buffer acquire() noexcept { return user_.acquire(); }
  Buffer acquire(std::size_t bytes) noexcept { return user_.acquire(bytes); }
  static std::byte* at(const Buffer& held) noexcept { return held.bytes().data(); }
  static void release(Buffer& held) noexcept { held.release(); }

 private:
  PoolUser user_;
  std::vector<PoolUser> others_;
};

}  // namespace sapbuf::bench
