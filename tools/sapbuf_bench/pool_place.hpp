// A pool that is there as long as this object, in a segment of its own.
#pragma once

#include <unistd.h>

#include <sapbuf/pool.hpp>
#include <sapbuf/segment.hpp>
#include <string>

namespace sapbuf::bench {

class PoolPlace {
 public:
  explicit PoolPlace(const PoolOptions& options, std::uint32_t participants = 80)
      : name_("bench.pool-" + std::to_string(++made) + "." + std::to_string(::getpid())) {
    Segment::remove(name_);
    Pool::create(Segment::create(name_, {.participants = participants, .main_stream = false}), kPool, options);
  }
  PoolPlace(const PoolPlace&) = delete;
  PoolPlace& operator=(const PoolPlace&) = delete;
  ~PoolPlace() {
    try {
      Segment::remove(name_);
    } catch (const Error&) {
      // It was ours; if it cannot be removed, 'sapbuf ls' shows it.
    }
  }

  // In each process anew: handles do not survive fork.
  Segment segment() const { return Segment::open(name_); }
  Pool pool() const { return Pool::open(segment(), kPool); }

 private:
  static constexpr const char* kPool = "buffers";
  static inline unsigned made = 0;  // in this process
  const std::string name_;
};

}  // namespace sapbuf::bench
